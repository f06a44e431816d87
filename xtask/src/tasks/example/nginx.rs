//! nginx in front of a cluster: the file that users are shown, with its addresses and paths replaced.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, ensure};

use crate::session::Session;
use crate::tools::NGINX;

/// The file, from the root of the workspace.
const SHOWN: &str = "examples/cluster/nginx.conf";
/// Where nginx keeps what does not fit into memory, each by default in a folder that only root may write to.
const TEMPORARY: [&str; 5] = ["client_body", "fastcgi", "proxy", "scgi", "uwsgi"];

/// nginx in the foreground, with everything that it writes in `folder`.
pub(super) fn command(
    session: &Session,
    folder: &Path,
    listen: SocketAddr,
    nodes: &[SocketAddr],
) -> anyhow::Result<Command> {
    let shown = session.root().join(SHOWN);
    let text = fs::read_to_string(&shown).with_context(|| format!("{} cannot be read", shown.display()))?;
    let text = replaced(&text, listen, nodes).with_context(|| format!("{} cannot be used", shown.display()))?;
    let path = folder.join("nginx.conf");
    fs::write(&path, text).with_context(|| format!("{} cannot be written", path.display()))?;
    let mut command = session.command(NGINX.path()?);
    command.args(["-e", "stderr", "-g", "daemon off;", "-p"]).arg(folder).arg("-c").arg(path);
    Ok(command)
}

/// The directives that are replaced.
const REPLACED: [&str; 8] =
    ["access_log", "error_log", "http", "listen", "pid", "server", "worker_connections", "worker_rlimit_nofile"];

/// The configuration with other addresses and paths, and for few clients. Its paths are relative, which nginx reads as
/// inside of its prefix.
fn replaced(text: &str, listen: SocketAddr, nodes: &[SocketAddr]) -> anyhow::Result<String> {
    let mut times = BTreeMap::from(REPLACED.map(|directive| (directive, 0)));
    let mut lines = Vec::new();
    for line in text.lines() {
        let (directive, values) = line.trim().split_once(' ').unwrap_or_default();
        let after_first = values.find([' ', ';']).map_or("", |at| &values[at..]);
        let own = match directive {
            "access_log" => vec![format!("access_log access.log{after_first}")],
            // The launcher reports already that a node is away.
            "error_log" => vec!["error_log stderr crit;".to_owned()],
            "http" => vec![
                TEMPORARY
                    .iter()
                    .fold("http {".to_owned(), |block, what| block + &format!("\n    {what}_temp_path {what};")),
            ],
            "listen" => vec![format!("listen {listen}{after_first}")],
            "pid" => vec!["pid nginx.pid;".to_owned()],
            // In place of the first node that is shown all that there are, and nothing for the others.
            "server" if values != "{" && times["server"] == 0 => {
                nodes.iter().map(|node| format!("server {node}{after_first}")).collect()
            }
            "server" if values != "{" => Vec::new(),
            // Within what every user of a machine is granted.
            "worker_connections" => vec!["worker_connections 1000;".to_owned()],
            "worker_rlimit_nofile" => Vec::new(),
            _ => {
                lines.push(line.to_owned());
                continue;
            }
        };
        let indent = &line[..line.len() - line.trim_start().len()];
        lines.extend(own.iter().map(|text| format!("{indent}{text}")));
        times.entry(directive).and_modify(|times| *times += 1);
    }
    for (directive, times) in times {
        ensure!(times == 1 || (directive == "server" && times > 0), "`{directive}` was found {times} times");
    }
    Ok(lines.join("\n") + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> SocketAddr {
        text.parse().expect("it is an address")
    }

    #[test]
    fn only_addresses_and_paths_differ_from_what_is_shown() {
        let shown = include_str!("../../../../examples/cluster/nginx.conf");
        let nodes = ["127.0.0.1:4001", "127.0.0.1:4002"].map(address);
        let text = replaced(shown, address("127.0.0.1:3000"), &nodes).expect("it is as expected");
        let added =
            Vec::from_iter(text.lines().filter(|line| !shown.lines().any(|other| other == *line)).map(str::trim));
        assert_eq!(
            added,
            [
                "pid nginx.pid;",
                "error_log stderr crit;",
                "worker_connections 1000;",
                "client_body_temp_path client_body;",
                "fastcgi_temp_path fastcgi;",
                "proxy_temp_path proxy;",
                "scgi_temp_path scgi;",
                "uwsgi_temp_path uwsgi;",
                "access_log access.log short;",
                "server 127.0.0.1:4001 max_fails=1 fail_timeout=10s;",
                "server 127.0.0.1:4002 max_fails=1 fail_timeout=10s;",
                "listen 127.0.0.1:3000;",
            ]
        );
        let gone = shown.lines().filter(|line| !text.lines().any(|other| other == *line)).count();
        assert_eq!(gone, 3 + 3 + 1 + 2, "two logs and a pid, three nodes, one address, two limits");
    }

    #[test]
    fn a_file_that_lacks_what_is_replaced_is_refused() {
        let text = include_str!("../../../../examples/cluster/nginx.conf").replace("server 10.", "node 10.");
        let refused = replaced(&text, address("127.0.0.1:3000"), &[]).expect_err("it has no nodes").to_string();
        assert_eq!(refused, "`server` was found 0 times");
    }
}
