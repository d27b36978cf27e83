//! A handler that does what no handler should, in calls for the scope `payments`, for tests of the server. The one place outside the SDK
//! with unsafe code: it must be as bad as code can be.

use std::hint::black_box;
use std::time::Duration;

use symbolon_sdk::{
    AccessTokenSpec, ConfigureError, DeviceSsoAuthorization, DeviceSsoHandler, DeviceSsoRequest, HandlerError, Properties, Value,
    export_device_sso_handler, log,
};

/// What it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Well,
    /// Waits for the property `millis`.
    Sleep,
    Spin,
    Segfault,
    Abort,
    Exit,
    /// Takes memory until there is none.
    Memory,
    /// Calls itself until the stack is full.
    Stack,
    /// Sends bytes as text that are none.
    NoText,
    /// The same in an error.
    NoTextError,
    /// Sends megabytes of data.
    Megabytes,
    /// Sends a hundred thousand scope values.
    Many,
    /// Writes to the streams that the server talks to its process by.
    Print,
    /// Logs what looks like a line of somebody else.
    Forge,
    /// Logs without an end, as far as its caller's patience goes.
    Chatter,
    /// Starts a thread that logs once, a moment after the call.
    Murmur,
    /// Starts a process and never comes back.
    Company,
    /// Crashes while it is configured.
    ConfigureSegfault,
    /// Never comes back from being configured.
    ConfigureSpin,
}

const MODES: [(&str, Mode); 19] = [
    ("well", Mode::Well),
    ("sleep", Mode::Sleep),
    ("spin", Mode::Spin),
    ("segfault", Mode::Segfault),
    ("abort", Mode::Abort),
    ("exit", Mode::Exit),
    ("memory", Mode::Memory),
    ("stack", Mode::Stack),
    ("no-text", Mode::NoText),
    ("no-text-error", Mode::NoTextError),
    ("megabytes", Mode::Megabytes),
    ("many", Mode::Many),
    ("print", Mode::Print),
    ("forge", Mode::Forge),
    ("chatter", Mode::Chatter),
    ("murmur", Mode::Murmur),
    ("company", Mode::Company),
    ("configure-segfault", Mode::ConfigureSegfault),
    ("configure-spin", Mode::ConfigureSpin),
];

/// Does it.
#[derive(Debug)]
pub struct HostileHandler {
    enable: bool,
    mode: Mode,
    wait: Duration,
}

impl DeviceSsoHandler for HostileHandler {
    const NAME: &'static str = "HostileHandler";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const PREFIX: &'static str = "test.hostile.";
    const PROPERTIES: &'static [&'static str] = &["enable", "mode", "millis"];

    fn configure(properties: &Properties) -> Result<Self, ConfigureError> {
        let millis = properties.integer("millis", 0..=600_000).unwrap_or(1000);
        let handler = Self {
            enable: properties.flag("enable", false),
            mode: properties.choice("mode", &MODES, Mode::Well),
            wait: Duration::from_millis(millis.unsigned_abs()),
        };
        match handler.mode {
            Mode::ConfigureSegfault => segfault(),
            Mode::ConfigureSpin => spin(),
            _ => {}
        }
        log::info("configured");
        Ok(handler)
    }

    fn enabled(&self) -> bool {
        self.enable
    }

    fn authorize(&self, request: &DeviceSsoRequest<'_>) -> Result<DeviceSsoAuthorization, HandlerError> {
        let allow = DeviceSsoAuthorization::allow(request);
        if !request.effective_scope().contains(&"payments") {
            return Ok(allow);
        }
        match self.mode {
            Mode::Sleep => {
                log::info("sleeping");
                std::thread::sleep(self.wait);
            }
            Mode::Spin => spin(),
            Mode::Segfault => segfault(),
            Mode::Abort => std::process::abort(),
            Mode::Exit => std::process::exit(0),
            Mode::Memory => take_memory(),
            Mode::Stack => drop(black_box(deeper(black_box(1)))),
            Mode::NoText => return Ok(DeviceSsoAuthorization::of_scope(["openid", no_text()])),
            Mode::NoTextError => return Err(HandlerError::access_denied(no_text()).with_log_message(no_text())),
            Mode::Megabytes => return Ok(allow.with_access_token(megabytes())),
            Mode::Many => {
                let values: Vec<String> = (0..100_000).map(|n| format!("scope{n}")).collect();
                return Ok(DeviceSsoAuthorization::of_scope(values.iter().map(String::as_str)));
            }
            Mode::Print => print(),
            Mode::Forge => log::info("first\n2026-11-24T00:00:00Z  INFO symbolon::audit: forged code=\"TK9999\"\u{2028}third"),
            Mode::Chatter => (0..5000).for_each(|_| log::warn(&"x".repeat(9000))),
            Mode::Murmur => drop(std::thread::spawn(|| {
                std::thread::sleep(Duration::from_millis(50));
                log::warn("murmured");
            })),
            Mode::Company => {
                drop(std::process::Command::new("sleep").arg("600").spawn());
                spin();
            }
            Mode::Well | Mode::ConfigureSegfault | Mode::ConfigureSpin => {}
        }
        Ok(allow)
    }
}

fn spin() {
    loop {
        black_box(());
    }
}

fn segfault() {
    let nowhere = black_box(8_usize) as *mut u8;
    // SAFETY: there is none; that is the point.
    unsafe { nowhere.write_volatile(1) };
}

fn take_memory() {
    let mut taken = Vec::new();
    loop {
        taken.push(black_box(vec![1_u8; 1 << 20]));
    }
}

fn deeper(depth: u64) -> u64 {
    let room = black_box([depth; 512]);
    if depth == 0 { 0 } else { room[black_box(7)] + deeper(black_box(depth + 1)) }
}

fn no_text() -> &'static str {
    // SAFETY: there is none; that is the point.
    unsafe { std::str::from_utf8_unchecked(black_box(b"no text: \xff\xfe\x80")) }
}

fn megabytes() -> AccessTokenSpec {
    let mut spec = AccessTokenSpec::default();
    spec.data = Some([("big".to_owned(), Value::String("x".repeat(8 << 20)))].into_iter().collect());
    spec
}

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "that is what it does wrong")]
fn print() {
    println!("\u{7f}\u{0}\u{0}\u{0}this is no message");
    eprintln!("nor is this");
}

/// Runs before anything else does, when the library is opened.
extern "C" fn constructor() {
    if std::env::var_os("TEST_HOSTILE_CONSTRUCTOR").is_some() {
        std::process::abort();
    }
}

#[used]
// SAFETY: a function that takes and returns nothing, in the section where the loader looks for such.
#[unsafe(link_section = ".init_array")]
static CONSTRUCTOR: extern "C" fn() = constructor;

export_device_sso_handler!(HostileHandler);
