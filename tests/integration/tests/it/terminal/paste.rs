//! A login whose browser is elsewhere: the address at which it ended, or the code it showed, is pasted.

use doorkey_testkit::IssParameter;
use integration::{Home, World};

use super::{elsewhere, page};

#[tokio::test]
async fn the_address_at_which_a_browser_elsewhere_ended_is_pasted_and_its_code_never_shown() {
    let world = World::new().await;
    let home = Home::new(&world, "");
    let login = home.at_terminal(&["login", Home::SERVER, "--no-browser"]);
    let mut terminal = login.with(super::SSH.0, super::SSH.1).start();
    let text = terminal.wait_for(" left)").await;
    let asked = terminal.told(&world, &home);
    let visit = elsewhere(&world, &page(&text)).await;
    terminal.type_text(&visit.callback).await;
    let count = visit.callback.chars().count();
    terminal
        .wait_for(&format!("{count} characters, press Enter"))
        .await;
    let pasted = terminal
        .told(&world, &home)
        .replace(&count.to_string(), "N");
    terminal.enter("").await;
    assert_eq!(terminal.ended().await, 0, "{}", terminal.text());
    let code = visit.parameter("code").expect("a code");
    assert!(!terminal.text().contains(&code), "{}", terminal.text());
    insta::assert_snapshot!("asked", asked);
    insta::assert_snapshot!("pasted", pasted.lines().last().unwrap_or_default());
    insta::assert_snapshot!("signed_in", terminal.told(&world, &home));
}

#[tokio::test]
async fn a_bad_paste_is_told_what_is_wrong_with_it_and_another_is_taken() {
    let world = World::new().await;
    let home = Home::new(&world, "");
    let login = home
        .at_terminal(&["login", Home::SERVER, "--no-browser"])
        .sized(100, 50);
    let mut terminal = login.with(super::SSH.0, super::SSH.1).start();
    let text = terminal.wait_for(" left)").await;
    let page = page(&text);
    let visit = elsewhere(&world, &page).await;
    let good = visit.callback.clone();
    let (code, state) = (visit.parameter("code"), visit.parameter("state"));
    let (code, state) = (code.expect("a code"), state.expect("a state"));
    let end = good.split('?').next().expect("an address");
    for (paste, told) in [
        ("help", "neither an address nor a code"),
        (page.as_str(), "you are not through there yet"),
        ("https://example.com/?code=1&state=2", "another page"),
        (&format!("{end}?code={code}"), "not whole"),
        (&good.replace(&state, "another"), "of another login"),
        (&code, "A code alone is not enough"),
    ] {
        terminal.enter(paste).await;
        terminal.wait_for(told).await;
    }
    let told = terminal.told(&world, &home);
    terminal.enter(&good).await;
    assert_eq!(terminal.ended().await, 0, "{}", terminal.text());
    assert_eq!(world.recorder.count(doorkey_testkit::Leg::Token), 1);
    insta::assert_snapshot!(told);
}

#[tokio::test]
async fn a_code_is_pasted_bare_or_with_its_state_where_the_server_promises_no_iss() {
    for with_state in [false, true] {
        let auth = |auth: doorkey_testkit::AuthorizationServerBuilder| {
            auth.iss_parameter(IssParameter::Absent)
        };
        let world = World::with(auth, |mcp| mcp).await;
        let home = Home::new(&world, "");
        let login = home
            .at_terminal(&["login", Home::SERVER, "--no-browser"])
            .sized(100, 50);
        let mut terminal = login.start();
        let text = terminal.wait_for(" left)").await;
        let visit = elsewhere(&world, &page(&text)).await;
        terminal.enter("some-other-code-than-that").await;
        terminal.wait_for("does not take that code").await;
        let code = visit.parameter("code").expect("a code");
        let state = visit.parameter("state").expect("a state");
        let paste = if with_state {
            format!("{code}#{state}")
        } else {
            code
        };
        terminal.enter(&paste).await;
        assert_eq!(terminal.ended().await, 0, "{}", terminal.text());
        assert!(home.grant().await.is_some());
    }
}

#[tokio::test]
async fn the_time_that_is_left_runs_out_before_the_eyes() {
    let world = World::new().await;
    let home = Home::new(&world, "");
    let login = home
        .at_terminal(&["login", Home::SERVER, "--no-browser"])
        .sized(100, 30);
    let mut terminal = login.start();
    let left = |text: &str| {
        let (before, _) = text.rsplit_once(" left)")?;
        before.rsplit_once('(').map(|(_, left)| left.to_owned())
    };
    let text = terminal.wait_for(" left)").await;
    let first = left(&text).expect("a time");
    assert!(first == "5:00" || first.starts_with("4:"), "{first}");
    let text = terminal.wait_until("less time", |text| left(text).is_some_and(|it| it != first));
    assert!(left(&text.await).expect("a time").starts_with("4:"));
}

#[tokio::test]
async fn nobody_is_asked_in_ci_and_what_to_type_is_told() {
    // Nobody would read a code either.
    let rules = doorkey_testkit::DeviceGrant::new();
    let world = World::with(|auth| auth.device_grant(rules), |mcp| mcp).await;
    let home = Home::new(&world, "");
    let login = home
        .at_terminal(&["login", Home::SERVER])
        .without("BROWSER");
    let login = login.with("CI", "true").with(super::SSH.0, super::SSH.1);
    let mut terminal = login.sized(100, 30).start();
    assert_eq!(terminal.ended().await, 3, "{}", terminal.text());
    let asked = world
        .recorder
        .count(doorkey_testkit::Leg::DeviceAuthorization);
    assert_eq!(asked, 0, "{}", terminal.text());
    insta::assert_snapshot!(terminal.told(&world, &home));
}
