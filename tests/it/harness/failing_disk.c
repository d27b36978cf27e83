/* A disk that fails when it is told to, for a server that runs with this library in LD_PRELOAD.
 *
 * Only what the server does to its store is touched: a descriptor whose file is called store.redb or store.journal. The file that FAILING_DISK names
 * says what goes wrong from now on; where there is none, nothing does:
 *
 *   eio       every write, sync and change of length fails
 *   sync      writes go well, no sync does
 *   full      no block is left: nothing but the first page, which is there already, can be written
 *   torn N    of the Nth write from here only the first half is done, and the process is gone
 *   power N   the same, and of what was written since the last sync some is lost as well, as when the power goes
 *
 * Each fault that was hit adds a byte to a second file, its name followed by ".hits". */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { FIRST_PAGE = 4096 };

struct fault {
    char name[8];
    unsigned long number;
};

/* What a place of a file held before it was written, since its last sync, the youngest first. */
struct piece {
    int file;
    off_t at;
    size_t size;
    struct piece *older;
    char bytes[];
};

static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;
static struct piece *unsynced;
static unsigned long writes;

static int is_store(int file) {
    static const char *const names[] = {"/store.redb", "/store.journal"};
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path);
    for (int n = 0; n < 2; n++) {
        ssize_t own = strlen(names[n]);
        if (length >= own && memcmp(path + length - own, names[n], own) == 0) return 1;
    }
    return 0;
}

static struct fault fault_of(int file) {
    struct fault fault = {"", 0};
    const char *control = getenv("FAILING_DISK");
    if (!control || !is_store(file)) return fault;
    int told = open(control, O_RDONLY | O_CLOEXEC);
    if (told < 0) return fault;
    char text[64] = "";
    if (read(told, text, sizeof text - 1) > 0) sscanf(text, "%7s %lu", fault.name, &fault.number);
    close(told);
    return fault;
}

static int is(struct fault fault, const char *name) {
    return strcmp(fault.name, name) == 0;
}

static void hit(void) {
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s.hits", getenv("FAILING_DISK"));
    int hits = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (hits < 0) abort();
    if (write(hits, "!", 1) != 1) abort();
    close(hits);
}

static int refuse(int error) {
    hit();
    errno = error;
    return -1;
}

static ssize_t really_write(int file, const void *bytes, size_t size, off_t at) {
    return syscall(SYS_pwrite64, file, bytes, size, at);
}

static void remember(int file, size_t size, off_t at) {
    struct piece *piece = calloc(1, sizeof *piece + size);
    if (!piece) abort();
    /* Behind the end of the file there were zeros. */
    if (syscall(SYS_pread64, file, piece->bytes, size, at) < 0) abort();
    piece->file = file;
    piece->at = at;
    piece->size = size;
    piece->older = unsynced;
    unsynced = piece;
}

static void forget_all(int file) {
    struct piece **link = &unsynced;
    while (*link) {
        struct piece *piece = *link;
        if (piece->file == file) {
            *link = piece->older;
            free(piece);
        } else {
            link = &piece->older;
        }
    }
}

/* What the disk had not been asked to keep is there or not, as chance will have it. */
static void lose(unsigned long seed) {
    unsigned long chance = seed * 0x9E3779B97F4A7C15 + 1;
    for (struct piece *piece = unsynced; piece; piece = piece->older) {
        chance ^= chance << 13;
        chance ^= chance >> 7;
        chance ^= chance << 17;
        if (chance >> 40 & 1) really_write(piece->file, piece->bytes, piece->size, piece->at);
    }
}

ssize_t pwrite64(int file, const void *bytes, size_t size, off_t at) {
    struct fault fault = fault_of(file);
    if (is(fault, "eio")) return refuse(EIO);
    if (is(fault, "full") && at >= FIRST_PAGE) return refuse(ENOSPC);
    if (!is(fault, "torn") && !is(fault, "power")) return really_write(file, bytes, size, at);
    pthread_mutex_lock(&one_at_a_time);
    if (++writes >= fault.number) {
        hit();
        if (is(fault, "power")) lose(fault.number);
        really_write(file, bytes, size / 2, at);
        kill(getpid(), SIGKILL);
        for (;;) pause();
    }
    if (is(fault, "power")) remember(file, size, at);
    ssize_t written = really_write(file, bytes, size, at);
    pthread_mutex_unlock(&one_at_a_time);
    return written;
}

static int sync_with(long call, int file) {
    struct fault fault = fault_of(file);
    if (is(fault, "eio") || is(fault, "sync")) return refuse(EIO);
    int done = syscall(call, file);
    if (done == 0 && is(fault, "power")) {
        pthread_mutex_lock(&one_at_a_time);
        forget_all(file);
        pthread_mutex_unlock(&one_at_a_time);
    }
    return done;
}

int fsync(int file) {
    return sync_with(SYS_fsync, file);
}

int fdatasync(int file) {
    return sync_with(SYS_fdatasync, file);
}

int ftruncate64(int file, off_t length) {
    struct fault fault = fault_of(file);
    struct stat now;
    if (is(fault, "eio")) return refuse(EIO);
    if (is(fault, "full") && fstat(file, &now) == 0 && length > now.st_size) return refuse(ENOSPC);
    return syscall(SYS_ftruncate, file, length);
}

/* Where offsets have 64 bits these are the same calls by another name. */
ssize_t pwrite(int file, const void *bytes, size_t size, off_t at) {
    return pwrite64(file, bytes, size, at);
}

int ftruncate(int file, off_t length) {
    return ftruncate64(file, length);
}
