//! Where there is no browser, and what a person is told of getting back to this machine.

use integration::{Home, World};

use super::{SSH, elsewhere, page};

/// What is told at the prompt, before the browser that is elsewhere is done and the login with it.
async fn told(variables: &[(&str, &str)]) -> String {
    let world = World::new().await;
    let home = Home::new(&world, "");
    let login = home
        .at_terminal(&["login", Home::SERVER])
        .without("BROWSER");
    let login = variables
        .iter()
        .fold(login, |login, (name, value)| login.with(name, value));
    let mut terminal = login.sized(100, 40).start();
    let text = terminal.wait_for(" left)").await;
    let told = terminal.told(&world, &home);
    let visit = elsewhere(&world, &page(&text)).await;
    terminal.enter(&visit.callback).await;
    assert_eq!(terminal.ended().await, 0, "{}", terminal.text());
    told
}

#[tokio::test]
async fn over_ssh_the_command_that_forwards_the_port_is_shown() {
    insta::assert_snapshot!(told(&[SSH, ("USER", "ada")]).await);
}

#[tokio::test]
async fn in_a_pod_the_command_that_forwards_the_port_is_shown() {
    let pod = [
        ("KUBERNETES_SERVICE_HOST", "10.0.0.1"),
        ("HOSTNAME", "work-7d9"),
    ];
    insta::assert_snapshot!(told(&pod).await);
}

#[tokio::test]
async fn in_a_workspace_of_an_editor_its_forwarding_is_told() {
    insta::assert_snapshot!(told(&[("CODESPACES", "true")]).await);
}

#[tokio::test]
async fn in_a_container_it_is_said_that_a_browser_outside_does_not_get_in() {
    let told = told(&[("container", "docker")]).await;
    let told = told.split_whitespace().collect::<Vec<_>>().join(" ");
    for words in [
        "this is a container",
        "A browser outside does not get back into a container",
    ] {
        assert!(told.contains(words), "{told}");
    }
}

#[tokio::test]
async fn under_windows_it_is_said_whose_browser_opens_and_what_to_do_if_it_does_not_get_back() {
    // The tests may themselves run in a container, and on a desktop that would show the page.
    let wsl = [
        ("WSL_DISTRO_NAME", "Debian"),
        ("container", "none"),
        ("BROWSER", "true"),
    ];
    insta::assert_snapshot!(told(&wsl).await);
}
