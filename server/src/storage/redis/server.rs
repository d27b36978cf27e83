//! What a Redis server says of itself, and whether it can keep what we promise. Pure; must not know connections.

use crate::settings::meaning::RedisMode;

/// The oldest release with all that the scripts use.
const OLDEST: (u32, u32) = (7, 0);

/// The few lines of `INFO` that matter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a line of INFO, and none depends on another")]
pub(super) struct ServerReport {
    version: String,
    is_replica: bool,
    is_loading: bool,
    is_in_cluster: bool,
    eviction: String,
    has_append_only_file: bool,
    /// `appendfsync`, where it may be asked.
    fsync: Option<String>,
}

impl ServerReport {
    /// Reads the answer to `INFO`.
    pub(super) fn read(info: &str, fsync: Option<String>) -> Self {
        let of = |name: &str| {
            info.lines().find_map(|line| line.trim_end().strip_prefix(name)?.strip_prefix(':')).unwrap_or_default().to_owned()
        };
        Self {
            version: of("redis_version"),
            is_replica: of("role") == "slave",
            is_loading: of("loading") == "1" || of("async_loading") == "1",
            is_in_cluster: of("cluster_enabled") == "1",
            eviction: of("maxmemory_policy"),
            has_append_only_file: of("aof_enabled") == "1",
            fsync,
        }
    }

    /// Whether records can be kept there.
    ///
    /// # Errors
    /// Why not, and what to do about it.
    pub(super) fn judge(&self, mode: &RedisMode) -> Result<(), String> {
        if self.version_number() < OLDEST {
            return Err(format!("it is Redis {}: install 7.0 or later, or Valkey", self.version));
        }
        match (mode, self.is_in_cluster) {
            (RedisMode::Cluster, false) => {
                return Err("it is no node of a cluster: correct storage.redis.mode, which is cluster".to_owned());
            }
            (RedisMode::Single | RedisMode::Sentinel(_), true) => {
                return Err("it is a node of a cluster: write storage.redis.mode = \"cluster\"".to_owned());
            }
            _ => {}
        }
        if self.eviction != "noeviction" {
            return Err(format!(
                "it would throw records away when its memory is full: set its maxmemory-policy to noeviction (it is {})",
                self.eviction
            ));
        }
        if self.is_loading {
            return Err("it is loading its data after a start (LOADING)".to_owned());
        }
        if self.is_replica && *mode != RedisMode::Cluster {
            return Err("it is a replica: a failover is under way, or storage.redis.url must name the master".to_owned());
        }
        Ok(())
    }

    /// What an operator should know although the server can serve.
    pub(super) fn shortcomings(&self, wait_replicas: u64) -> Vec<&'static str> {
        let mut found = Vec::new();
        if !self.has_append_only_file {
            found.push("keeps nothing on disk but snapshots: set appendonly yes, or what was acknowledged is lost when it stops");
        } else if wait_replicas == 0 {
            match self.fsync.as_deref() {
                Some("always") => {}
                Some(_) => found.push(
                    "may lose the last second of acknowledged writes when its machine fails: set appendfsync always, or \
                     storage.redis.wait_replicas = 1",
                ),
                None => found.push("does not tell its appendfsync (CONFIG GET is not permitted): see to it that it is always"),
            }
        }
        found
    }

    fn version_number(&self) -> (u32, u32) {
        let mut parts = self.version.split('.').map(|part| part.parse().unwrap_or(0));
        (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    const GOOD: &str = "# Server\r\nredis_version:7.0.15\r\nloading:0\r\nasync_loading:0\r\nmaxmemory_policy:noeviction\r\n\
                        aof_enabled:1\r\nrole:master\r\ncluster_enabled:0\r\n";

    fn refusal(from: &str, to: &str, mode: &RedisMode) -> String {
        assert!(GOOD.contains(from));
        ServerReport::read(&GOOD.replace(from, to), None).judge(mode).unwrap_err()
    }

    #[test]
    fn a_good_server_is_accepted() {
        let report = ServerReport::read(GOOD, Some("always".to_owned()));
        report.judge(&RedisMode::Single).unwrap();
        assert_eq!(report.shortcomings(0), Vec::<&str>::new());
        ServerReport::read(&GOOD.replace("7.0.15", "10.1"), None).judge(&RedisMode::Single).unwrap();
    }

    #[test]
    fn valkey_counts_as_the_redis_that_it_names() {
        let valkey = GOOD.replace("redis_version:7.0.15", "redis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:8.0.1");
        let report = ServerReport::read(&valkey, Some("always".to_owned()));
        assert_eq!(report.version, "7.2.4");
        report.judge(&RedisMode::Single).unwrap();
    }

    #[test]
    fn each_reason_to_refuse_has_its_sentence() {
        let single = RedisMode::Single;
        assert!(refusal("7.0.15", "6.2.14", &single).contains("install 7.0 or later"));
        assert!(refusal("cluster_enabled:0", "cluster_enabled:1", &single).contains("mode = \"cluster\""));
        assert!(refusal("noeviction", "allkeys-lru", &single).contains("maxmemory-policy to noeviction (it is allkeys-lru)"));
        assert!(refusal("noeviction", "volatile-ttl", &single).contains("throw records away"));
        assert!(refusal("\r\nloading:0", "\r\nloading:1", &single).contains("LOADING"));
        assert!(refusal("role:master", "role:slave", &single).contains("a replica"));
        let report = ServerReport::read(GOOD, None);
        assert!(report.judge(&RedisMode::Cluster).unwrap_err().contains("no node of a cluster"));
    }

    #[test]
    fn what_may_be_lost_is_told() {
        let everysec = ServerReport::read(GOOD, Some("everysec".to_owned()));
        assert!(everysec.shortcomings(0)[0].contains("the last second"));
        assert_eq!(everysec.shortcomings(1), Vec::<&str>::new());
        assert!(ServerReport::read(GOOD, None).shortcomings(0)[0].contains("CONFIG GET"));
        let without = ServerReport::read(&GOOD.replace("aof_enabled:1", "aof_enabled:0"), None);
        assert!(without.shortcomings(1)[0].contains("appendonly"));
    }
}
