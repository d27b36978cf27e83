//! The command line of the benchmark.

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

/// Requests/s, latencies, CPU and memory of a release server on one core, beside the machine's own parts.
#[derive(Debug, Parser)]
#[command(name = "scripts/bench")]
pub(crate) struct Arguments {
    /// Short runs: enough to see whether everything works, too short to quote.
    #[arg(long)]
    pub(crate) quick: bool,
    /// Only these workloads (repeatable). `parts` = no server at all.
    #[arg(long, value_enum, value_name = "NAME")]
    pub(crate) only: Vec<Workload>,
    /// Signature algorithms of the server.
    #[arg(long = "alg", value_name = "ALG", default_values = ["RS256", "ES256"])]
    pub(crate) algs: Vec<String>,
    /// Connections at once.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 16, 64])]
    pub(crate) connections: Vec<usize>,
    /// Seconds measured in each run (default 8, with --quick 2); a quarter of it goes before as warm-up.
    #[arg(long)]
    pub(crate) seconds: Option<f64>,
    /// Device sessions of the large store of `growth`; 2 GB of disk for each million.
    #[arg(long, default_value_t = 1_000_000)]
    pub(crate) sessions: u64,
    /// Prints the report as JSON instead of Markdown.
    #[arg(long)]
    pub(crate) json: bool,
    /// Writes the report to a file too: JSON when its name ends in .json, Markdown otherwise.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// The server program.
    #[arg(long, value_name = "FILE", default_value = "target/release/symbolon")]
    pub(crate) server: PathBuf,
    /// A further setting of the server, passed to it as `-D name=value` (repeatable).
    #[arg(short = 'D', long = "setting", value_name = "NAME=VALUE")]
    pub(crate) settings: Vec<String>,
    /// Does not fail the run when a ratio is over its ceiling (it is reported all the same).
    #[arg(long)]
    pub(crate) no_ceilings: bool,
    /// Where the temporary data folder is made: on a real disk, because durable writes are measured.
    #[arg(long, value_name = "FOLDER", default_value = "target")]
    pub(crate) work: PathBuf,
    /// Takes a profile of the server with `perf record` in each run, written to this folder.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) perf: Option<PathBuf>,
    /// What to run instead of everything.
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// What is measured of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Workload {
    /// The discovery document.
    Discovery,
    /// Client credentials, `client_secret_basic`.
    ClientCredentials,
    /// Refresh with rotation, one family for each connection.
    Refresh,
    /// Authorize with a live browser session, then exchange the code: two requests an operation.
    Code,
    /// Device-SSO exchange with ID token, access token and refresh token.
    Exchange,
    /// Device-SSO exchange with the handler run inline, in a pool and in processes, in turn.
    Isolation,
    /// Device-SSO exchange with ten thousand device sessions in the store and with `--sessions`, in turn. Not part of everything.
    Growth,
    /// Device-SSO exchange with each backend of the store, in turn, beside what the engines do by themselves. Needs redis-server,
    /// redis-cli and redis-benchmark.
    Backends,
    /// No server: only the machine's parts.
    Parts,
}

impl Workload {
    /// All that need a server, in the order of the report.
    pub(crate) const OF_SERVER: [Self; 5] = [Self::Discovery, Self::ClientCredentials, Self::Refresh, Self::Code, Self::Exchange];

    /// The name in the report.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Discovery => "discovery",
            Self::ClientCredentials => "client_credentials",
            Self::Refresh => "refresh",
            Self::Code => "code flow",
            Self::Exchange => "exchange",
            Self::Isolation => "isolation",
            Self::Growth => "growth",
            Self::Backends => "backends",
            Self::Parts => "parts",
        }
    }
}

/// Not for people: the benchmark starts itself again, pinned to the server's core.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Measures one part in this process.
    #[command(hide = true)]
    Part {
        /// Which.
        #[command(subcommand)]
        part: Part,
    },
}

/// A part of the machine.
#[derive(Debug, Subcommand)]
pub(crate) enum Part {
    /// Serves the echo until killed.
    Echo {
        /// Port on the loopback address.
        port: u16,
    },
    /// Signs and verifies.
    Crypto {
        /// Seconds for each operation.
        seconds: f64,
    },
    /// Writes durably.
    Store {
        /// An empty folder on the disk to measure.
        folder: PathBuf,
        /// Seconds for each number of writers.
        seconds: f64,
        /// Numbers of writers.
        #[arg(required = true)]
        writers: Vec<usize>,
    },
}

impl Arguments {
    /// Seconds measured in each run.
    pub(crate) fn measured_seconds(&self) -> f64 {
        self.seconds.unwrap_or(if self.quick { 2.0 } else { 8.0 })
    }

    /// Whether the modes of isolation are to be compared.
    pub(crate) fn compares_isolation(&self) -> bool {
        self.only.is_empty() || self.only.contains(&Workload::Isolation)
    }

    /// Whether the backends of the store are to be compared.
    pub(crate) fn compares_backends(&self) -> bool {
        self.only.is_empty() || self.only.contains(&Workload::Backends)
    }

    /// Whether stores of different sizes are to be compared: only when asked, because a large one takes minutes to make.
    pub(crate) fn compares_sizes(&self) -> bool {
        self.only.contains(&Workload::Growth)
    }

    /// The server's workloads that were asked for, in the order of the report.
    pub(crate) fn workloads(&self) -> Vec<Workload> {
        Workload::OF_SERVER.into_iter().filter(|workload| self.only.is_empty() || self.only.contains(workload)).collect()
    }
}
