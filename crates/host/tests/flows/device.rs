//! A person types a code on another device.

use std::time::Duration;

use doorkey_testkit::{
    AuthorizationServer, Browser, CertificateAuthority, DeviceGrant, Fault, FaultRule, Leg,
    McpServer, MetadataKind, Prm,
};
use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, BufReader};

use crate::world::{LIMIT, Ran, World};

async fn world(rules: DeviceGrant) -> World {
    let rules = rules.interval(Duration::from_secs(1));
    let world = World::start(
        CertificateAuthority::new().unwrap(),
        AuthorizationServer::builder().device_grant(rules),
        McpServer::builder(),
    );
    let world = world.await;
    world.configure("");
    world
}

/// A login, and the page and code it showed; `decide` plays the person.
async fn login(
    world: &World,
    arguments: &[&str],
    decide: impl AsyncFnOnce(&str, &str),
) -> (Ran, Vec<String>) {
    let run = async {
        let mut child = world.command(arguments).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let (mut err, mut shown, mut decide) = (String::new(), Vec::new(), Some(decide));
        while let Some(line) = lines.next_line().await.unwrap() {
            if let Some(text) = line.strip_prefix("  ").filter(|text| !text.contains(' ')) {
                shown.push(text.to_owned());
            }
            if let (Some(decide), true) =
                (decide.take_if(|_| line.contains("waiting for you")), true)
            {
                decide(&shown[0], &shown[1]).await;
            }
            err.push_str(&line);
            err.push('\n');
        }
        let code = child.wait().await.unwrap().code().unwrap();
        let out = String::new();
        (Ran { code, out, err }, shown)
    };
    tokio::time::timeout(LIMIT, run).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_on_another_device_works_where_nobody_publishes_anything() {
    let rules = DeviceGrant::new().interval(Duration::from_secs(1));
    let authorization = AuthorizationServer::builder()
        .metadata(MetadataKind::None)
        .device_grant(rules);
    let mcp = McpServer::builder().resource_metadata(Prm::None);
    let world = World::start(CertificateAuthority::new().unwrap(), authorization, mcp).await;
    world.configure(
        "issuer = \"ISSUER\"\nflow = \"device\"\n[mcp_servers.one.oauth.endpoints]\n\
         token_endpoint = \"ISSUER/token\"\nregistration_endpoint = \"ISSUER/register\"\n\
         device_authorization_endpoint = \"ISSUER/device_authorization\"\n\
         revocation_endpoint = \"ISSUER/revoke\"",
    );
    let person = Browser::new().trusting(&world.authority);
    let (ran, _) = login(&world, &["login", "one"], async |page, code| {
        person.enter_code(page, code).await.unwrap();
    })
    .await;
    ran.expect(0, &["takes the token"]);
    world.authorization.expire_access_tokens();
    world.run(&["tools", "one"]).await.expect(0, &["echo"]);
    assert_eq!(world.authorization.refreshes(), 1);
    world.run(&["logout", "one"]).await.expect(0, &[]);
    assert_ne!(world.recorder.count(Leg::Revocation), 0);
    world.spotless();
}

#[tokio::test(flavor = "multi_thread")]
async fn page_and_code_are_shown_and_the_code_beside_a_page_that_has_it_dev_04() {
    let world = world(DeviceGrant::new()).await;
    let person = Browser::new().trusting(&world.authority);
    let (ran, shown) = login(&world, &["login", "one", "--device"], async |page, code| {
        person.enter_code(page, code).await.unwrap();
    })
    .await;
    let host = world
        .authorization
        .url()
        .trim_start_matches("https://")
        .to_owned();
    let ran = ran.expect(
        0,
        &[
            "takes the token",
            &format!("sends you to {host}"),
            "10 minutes",
        ],
    );
    let [page, code, filled_in] = &shown[..3] else {
        panic!("{shown:?}");
    };
    assert!(page.starts_with(&world.authorization.issuer()), "{page}");
    assert!(filled_in.contains(code.as_str()), "{filled_in} {code}");
    let named = ran.err.find("sends you to").unwrap();
    assert!(
        named < ran.err.find(page).unwrap(),
        "the host is named first"
    );
    assert_eq!(world.recorder.count(Leg::Authorization), 0);
    assert_eq!(world.status().await["status"], "logged_in");

    world.recorder.clear();
    world.authorization.expire_access_tokens();
    world.run(&["tools", "one"]).await.expect(0, &["echo"]);
    assert_eq!(world.authorization.refreshes(), 1);
    world.spotless();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_configuration_may_say_so_for_good_and_a_denial_ends_it_with_4() {
    let world = world(DeviceGrant::new().verification_uri_complete(false)).await;
    world.configure("flow = \"device\"");
    let (ran, shown) = login(&world, &["login", "one"], async |_, code| {
        assert!(world.authorization.deny_device(code));
    })
    .await;
    ran.expect(4, &["access_denied"]);
    assert!(
        !shown.iter().any(|text| text.contains("user_code=")),
        "{shown:?}"
    );
    assert_eq!(world.status().await["flow"], "device");
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_browser_gets_the_page_as_one_argument_and_only_if_one_is_wanted_dev_08() {
    use std::os::unix::fs::PermissionsExt as _;
    let world = world(DeviceGrant::new()).await;
    let script = world.folder.path().join("browser");
    let log = world.folder.path().join("opened");
    world.write(
        "browser",
        &format!("#!/bin/sh\necho \"$#|$1\" >> '{}'\n", log.display()),
    );
    let mode = std::fs::Permissions::from_mode(0o700);
    std::fs::set_permissions(&script, mode).unwrap();
    let world = world.with("BROWSER", script.to_str().unwrap());
    for arguments in [
        &["login", "one", "--device", "--no-browser"][..],
        &["login", "one", "--device"],
    ] {
        let (ran, shown) = login(&world, arguments, async |_, code| {
            // Started beside the login, and not waited for.
            tokio::time::sleep(Duration::from_millis(300)).await;
            assert!(world.authorization.approve_device(code));
        })
        .await;
        ran.expect(0, &[]);
        let opened = std::fs::read_to_string(&log).unwrap_or_default();
        let expected = match arguments.contains(&"--no-browser") {
            true => String::new(),
            false => format!("1|{}\n", shown[2]),
        };
        assert_eq!(opened, expected);
    }
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_may_not_be_opened_is_neither_shown_nor_opened_dev_08() {
    use std::os::unix::fs::PermissionsExt as _;
    let world = world(DeviceGrant::new()).await;
    let (script, log) = (
        world.folder.path().join("browser"),
        world.folder.path().join("opened"),
    );
    world.write(
        "browser",
        &format!("#!/bin/sh\necho \"$1\" >> '{}'\n", log.display()),
    );
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o700)).unwrap();
    let world = world.with("BROWSER", script.to_str().unwrap());
    let page = "https://as.example/device";
    for (page, filled_in, opened) in [
        ("javascript:alert(1)", page, ""),
        ("http://as.example/device", page, ""),
        (page, "file:///etc/passwd", "https://as.example/device\n"),
    ] {
        let answer = json!({
            "device_code": "d", "user_code": "WDJB\u{1b}[2J-MJHT", "expires_in": 60, "interval": 1,
            "verification_uri": page, "verification_uri_complete": filled_in,
        });
        world.authorization.clear_faults();
        let rule = FaultRule::on(Leg::DeviceAuthorization).respond(Fault::json(200, &answer));
        world.authorization.fault(rule);
        let ran = world.run(&["login", "one", "--device"]).await;
        assert_ne!(ran.code, 0, "{}", ran.err);
        let ran = ran
            .without("file:")
            .without("javascript:")
            .without("\u{1b}");
        assert_eq!(ran.err.contains("WDJB"), !opened.is_empty(), "{}", ran.err);
        let seen = std::fs::read_to_string(&log).unwrap_or_default();
        assert_eq!(seen, opened);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flow_without_a_person_is_not_moved_to_a_device() {
    let world = world(DeviceGrant::new()).await;
    world.configure(
        "flow = \"client_credentials\"\nclient_id = \"i\"\nclient_secret = \"s\"\nissuer = \"ISSUER\"",
    );
    let ran = world.run(&["login", "one", "--device"]).await;
    assert_ne!(ran.code, 0);
    assert!(ran.err.contains("--device has no effect"), "{}", ran.err);
    assert_eq!(world.recorder.count(Leg::DeviceAuthorization), 0);
}
