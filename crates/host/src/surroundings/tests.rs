//! Places that logins run in, and what each one is told.

use super::*;

const REDIRECT: &str = "http://127.0.0.1:3118/callback";
const SSH: (&str, &str) = ("SSH_CONNECTION", "198.51.100.7 50022 192.0.2.9 22");

type Place = (
    &'static [(&'static str, &'static str)],
    &'static [&'static str],
    &'static str,
    &'static str,
);

/// Variables, files, and what is told: why there is no browser (`-`: there is one), and the advice.
const PLACES: &[Place] = &[
    (&[("DISPLAY", ":0")], &[], "-", ""),
    (&[("WAYLAND_DISPLAY", "wayland-0")], &[], "-", ""),
    (&[("BROWSER", "firefox")], &[], "-", ""),
    (&[], &[], "", ""),
    (
        &[SSH, ("USER", "ada")],
        &[],
        "you are connected by SSH",
        "ssh -N -L 3118:127.0.0.1:3118 ada@192.0.2.9",
    ),
    (
        &[
            ("SSH_CONNECTION", "::1 50022 fe80::1%eth0 2222"),
            ("LOGNAME", "$(rm -r)"),
        ],
        &[],
        "you are connected by SSH",
        "ssh -N -L 3118:127.0.0.1:3118 -p 2222 fe80::1",
    ),
    (
        &[("SSH_TTY", "/dev/pts/1")],
        &[],
        "you are connected by SSH",
        "ssh -N -L 3118:127.0.0.1:3118 THIS-MACHINE",
    ),
    // A display that SSH forwards shows pages.
    (
        &[SSH, ("DISPLAY", "localhost:10.0")],
        &[],
        "-",
        "ssh -N -L 3118:127.0.0.1:3118 192.0.2.9",
    ),
    (
        &[],
        &["/.dockerenv"],
        "this is a container",
        "--network=host",
    ),
    (
        &[("container", "podman")],
        &[],
        "this is a container",
        "--network=host",
    ),
    (&[("container", "none")], &["/.dockerenv"], "", ""),
    (
        &[SSH],
        &["/run/.containerenv"],
        "you are connected by SSH",
        "192.0.2.9",
    ),
    (
        &[
            ("KUBERNETES_SERVICE_HOST", "10.0.0.1"),
            ("HOSTNAME", "work-7d9"),
        ],
        &["/.dockerenv"],
        "this is a container",
        "kubectl port-forward work-7d9 3118:3118",
    ),
    (
        &[("CODESPACES", "true")],
        &["/.dockerenv"],
        "this is a remote workspace",
        "forwards port 3118",
    ),
    (
        &[("REMOTE_CONTAINERS", "true"), ("BROWSER", "helper")],
        &[],
        "-",
        "forwards port 3118",
    ),
    (
        &[("GITPOD_WORKSPACE_ID", "x")],
        &[],
        "this is a remote workspace",
        "forwards port 3118",
    ),
    (
        &[("WSL_DISTRO_NAME", "Debian")],
        &[],
        "-",
        "browser of Windows",
    ),
    (
        &[("WSL_INTEROP", "/run/WSL/1_interop")],
        &[],
        "-",
        "browser of Windows",
    ),
];

#[test]
fn each_place_is_told_apart_and_told_how_the_browser_gets_back() {
    for (variables, files, why, advice) in PLACES {
        let environment = Environment::new(variables.iter().copied());
        let here = Surroundings::seen(&environment, |path| files.contains(&path), true);
        let told = match here.has_browser {
            true => "-",
            false => here.why_no_browser().unwrap_or_default(),
        };
        assert_eq!(told, *why, "{variables:?} {files:?}");
        let told = here.advice(REDIRECT).map(|advice| advice.to_string());
        match (told, *advice) {
            (None, "") => {}
            (Some(told), advice) if !advice.is_empty() => {
                assert!(told.contains(advice), "{variables:?} {files:?}: {told}");
            }
            (told, _) => panic!("{variables:?} {files:?}: {told:?}"),
        }
    }
}

#[test]
fn a_redirect_uri_that_is_forwarded_anyway_needs_no_advice() {
    let here = Surroundings::seen(&Environment::new([SSH]), |_| false, true);
    assert_eq!(here.advice("https://dev.example:8443/callback"), None);
    assert!(here.advice("http://[::1]:4000/callback").is_some());
}

#[test]
fn a_desktop_is_of_no_use_to_whoever_came_over_ssh() {
    let at = |variables: &[(&str, &str)]| {
        let environment = Environment::new(variables.iter().copied());
        Surroundings::seen(&environment, |_| false, false).has_browser
    };
    assert!(at(&[]));
    assert!(!at(&[SSH]));
    assert!(at(&[SSH, ("BROWSER", "firefox")]));
}

#[test]
fn ci_is_set_to_anything_but_no() {
    for (value, expected) in [
        ("true", true),
        ("1", true),
        ("", false),
        ("false", false),
        ("0", false),
    ] {
        let environment = Environment::new([("CI", value)]);
        let here = Surroundings::seen(&environment, |_| false, true);
        assert_eq!(here.is_automation, expected, "{value}");
    }
}
