//! Servers switched off and on again.

use super::*;

const TWO: &str = "\
# all mine
[mcp_servers.one] # the first
url = \"https://one.example/mcp\" # here
enabled = true # for now

[mcp_servers.one.oauth]
client_id = \"abc\" # theirs

# the second
[mcp_servers.two]
url = \"https://two.example/mcp\"
";

#[test]
fn a_server_is_switched_off_and_on_and_every_comment_stays() {
    let scene = Scene::new(TWO);
    scene
        .run(&["disable", "one", "two"])
        .expect(0, &["one: disabled", "two: disabled", "logins are kept"]);
    let off = scene.config_text();
    assert_eq!(
        off,
        TWO.replace("enabled = true # for now", "enabled = false # for now") + "enabled = false\n"
    );
    let listed = scene.run(&["list"]).expect(0, &[]).json();
    assert_eq!(
        (&listed[0]["enabled"], &listed[1]["enabled"]),
        (&false.into(), &false.into())
    );
    scene
        .run(&["tools", "one"])
        .expect(9, &["is disabled", "next: "]);

    scene.run(&["enable", "one"]).expect(0, &["one: enabled"]);
    scene.run(&["enable", "two"]).expect(0, &["two: enabled"]);
    assert_eq!(scene.config_text(), TWO.to_owned() + "enabled = true\n");
    scene
        .run(&["enable", "one"])
        .expect(0, &["one: already enabled"]);
    assert_eq!(scene.config_text(), TWO.to_owned() + "enabled = true\n");
}

#[test]
fn servers_in_inline_tables_are_switched_too_and_what_cannot_be_is_said_before_anything_is_written()
{
    let text = "mcp_servers = { two = { url = \"https://two.example/mcp\" }, local = { command = \"server\" } }\n";
    let scene = Scene::new(text);
    scene
        .run(&["disable", "two", "three"])
        .expect(9, &["no server named \"three\""]);
    scene
        .run(&["disable", "two", "local"])
        .expect(9, &["local"]);
    assert_eq!(scene.config_text(), text);
    scene.run(&["disable", "two"]).expect(0, &[]);
    let listed = scene.run(&["list"]).expect(0, &[]).json();
    assert_eq!(listed[0]["enabled"], false);
    scene.run(&["enable"]).expect(2, &["NAME"]);
}
