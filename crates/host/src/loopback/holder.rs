//! Who holds a port of this machine, as far as an ordinary user can see.

use std::fmt;
use std::path::Path;

/// Who listens on a port that is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum PortHolder {
    /// Nobody can tell without more rights, or on this system.
    #[default]
    Unknown,
    /// This very program.
    ThisProcess,
    /// A program of the same user.
    Process {
        /// Its process identifier.
        id: u32,
        /// Its name.
        program: String,
        /// Whether it is another `doorkey login`.
        is_login: bool,
    },
}

impl PortHolder {
    /// Looks who listens on `port` of the loopback addresses. It reads `/proc`, where there is one.
    pub(super) fn of(port: u16) -> Self {
        Self::below(Path::new("/proc"), port).unwrap_or_default()
    }

    fn below(proc: &Path, port: u16) -> Option<Self> {
        let tables = ["net/tcp", "net/tcp6"];
        let tables = tables.map(|name| std::fs::read_to_string(proc.join(name)));
        let sockets: Vec<String> = tables
            .iter()
            .flatten()
            .flat_map(|table| listeners(table, port))
            .map(|inode| format!("socket:[{inode}]"))
            .collect();
        let mut ids = std::fs::read_dir(proc).ok()?.filter_map(|entry| {
            let name = entry.ok()?.file_name();
            name.to_str()?.parse::<u32>().ok()
        });
        let id = ids.find(|id| has_open(&proc.join(id.to_string()), &sockets))?;
        if id == std::process::id() {
            return Some(Self::ThisProcess);
        }
        let of_process = |file: &str| {
            let text = std::fs::read(proc.join(id.to_string()).join(file));
            text.map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        };
        let program = of_process("comm").ok()?.trim().to_owned();
        // Its arguments are looked at and never shown: anything may be among them.
        let arguments = of_process("cmdline").unwrap_or_default();
        let is_login = program == "doorkey" && arguments.split('\0').any(|word| word == "login");
        Some(Self::Process {
            id,
            program,
            is_login,
        })
    }
}

/// Whether a process has one of these sockets open; those of other users do not say.
fn has_open(process: &Path, sockets: &[String]) -> bool {
    let Ok(entries) = std::fs::read_dir(process.join("fd")) else {
        return false;
    };
    entries
        .flatten()
        .filter_map(|entry| std::fs::read_link(entry.path()).ok())
        .any(|target| {
            sockets
                .iter()
                .any(|socket| target.as_os_str() == socket.as_str())
        })
}

/// The inodes of the sockets that listen on `port` of a loopback address or of every address, from a table as the kernel
/// writes it: `sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode …`, numbers in hexadecimal but
/// for the last.
fn listeners(table: &str, port: u16) -> impl Iterator<Item = u64> {
    table.lines().skip(1).filter_map(move |line| {
        let mut fields = line.split_whitespace();
        let (address, bound) = fields.nth(1)?.split_once(':')?;
        let (state, inode) = (fields.nth(1)?, fields.nth(5)?);
        let is_wanted = u16::from_str_radix(bound, 16) == Ok(port)
            && state == LISTENING
            && LOCAL_ADDRESSES.contains(&address);
        is_wanted.then(|| inode.parse().ok()).flatten()
    })
}

impl fmt::Display for PortHolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("another program"),
            Self::ThisProcess => f.write_str("another login of this program"),
            Self::Process {
                id, is_login: true, ..
            } => write!(f, "another doorkey login (process {id})"),
            Self::Process { id, program, .. } => {
                let program = doorkey_http::clean_text(program, PROGRAM_CHARACTERS);
                write!(f, "{program} (process {id})")
            }
        }
    }
}

const LISTENING: &str = "0A";
/// Everything of 127.0.0.1 and ::1, in the byte order of little and of big machines, also where IPv4 is mapped into IPv6.
const LOCAL_ADDRESSES: [&str; 8] = [
    "00000000",
    "0100007F",
    "7F000001",
    "00000000000000000000000000000000",
    "00000000000000000000000001000000",
    "00000000000000000000000000000001",
    "0000000000000000FFFF00000100007F",
    "00000000000000000000FFFF7F000001",
];
const PROGRAM_CHARACTERS: usize = 40;

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:0C2E 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 41 1 0 100 0 0 10 0
   1: 0100007F:0C2E 0100007F:D431 01 00000000:00000000 00:00000000 00000000  1000        0 42 1 0 20 4 30 10 -1
   2: 00000000:0C2E 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 43 1 0 100 0 0 10 0
   3: 0A00000A:0C2E 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 44 1 0 100 0 0 10 0
   4: 0100007F:0C2F 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 45 1 0 100 0 0 10 0
   5: broken
";

    #[test]
    fn those_who_listen_there_are_found_and_nobody_else() {
        let found = |port| listeners(TABLE, port).collect::<Vec<_>>();
        assert_eq!(found(0x0c2e), [41, 43]);
        assert_eq!(found(0x0c2f), [45]);
        assert_eq!(found(80), [0; 0]);
        let six = "sl\n 0: 00000000000000000000000001000000:0C2E 0:0 0A 0:0 0:0 0 0 0 46 1";
        assert_eq!(listeners(six, 0x0c2e).collect::<Vec<_>>(), [46]);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_listener_of_this_process_is_recognised() {
        for address in ["127.0.0.1:0", "0.0.0.0:0", "[::1]:0"] {
            // No IPv6 here, so nobody to be found there.
            let Ok(listener) = std::net::TcpListener::bind(address) else {
                continue;
            };
            let port = listener.local_addr().expect("an address").port();
            assert_eq!(PortHolder::of(port), PortHolder::ThisProcess, "{address}");
            drop(listener);
            assert_eq!(PortHolder::of(port), PortHolder::Unknown, "{address}");
        }
    }
}
