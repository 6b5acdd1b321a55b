//! Every command of the program, at TRACE, for every way to sign in.

use doorkey_testkit::{Fault, FaultRule, Leg};
use integration::Home;
use secrecy::ExposeSecret;

use super::{
    logins::{LOGINS, Scene, Who, expire, stored_keys},
    watch::Watch,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_way_to_sign_in_leaves_no_secret_anywhere() {
    let scene = Scene::new().await;
    let home = Home::new(&scene.world, "");
    let mut watch = Watch::new(&scene.world, &home, &scene.variables());
    scene.furnish(
        &home,
        &watch.program(|folder, before| scene.program(folder, before)),
    );

    for (name, who) in LOGINS {
        sign_in(&mut watch, name, who).await;
        watch.run(0, &["get", name]).await;
        watch.run(0, &["tools", name, "--json"]).await;
        examined(&mut watch, &home, name).await;
        expire(&home.host()).await;
        watch
            .run(0, &["call", name, "echo", "--args", "{\"text\":\"hi\"}"])
            .await;
        watch.run(0, &["get", name, "--table"]).await;
    }
    watch.login_on_device(&["login", "it", "--device"]).await;
    for arguments in [
        ["list"].as_slice(),
        &["list", "--json"],
        &["list", "--table"],
        &["status"],
        &["status", "--table", "-vv"],
        &["import", "--dry-run"],
        &["list", "--check", "-vv"],
    ] {
        watch.run(0, arguments).await;
    }
    renewals_refused(&mut watch, &scene, &home).await;

    let keys = stored_keys(&home.host()).await;
    for (name, _) in LOGINS {
        watch.run(0, &["logout", name, "--forget-client"]).await;
    }
    watch.run(0, &["remove", "handed"]).await;
    let secrets = scene.secrets(&scene.world.recorder.requests(), &keys);
    watch.assert_clean(&secrets);
}

async fn sign_in(watch: &mut Watch<'_>, name: &str, who: Who) {
    match who {
        Who::Browser => watch.run(0, &["login", name, "-vv"]).await,
        Who::Device => watch.login_on_device(&["login", name]).await,
        Who::Nobody => watch.run(0, &["login", name]).await,
    };
}

/// What the doctor says of a login that works and of one whose token is over, and that a bound token is not handed out.
async fn examined(watch: &mut Watch<'_>, home: &Home, name: &str) {
    let run = watch.run_doctor(name).await;
    assert_eq!(run.code, 0, "{run}");
    watch.run(0, &["doctor", name]).await;
    for arguments in [["token", name].as_slice(), &["token", name, "--json"]] {
        let run = watch.run_any(arguments).await;
        assert!(run.stderr.contains("error[token-bound]"), "{run}");
    }
    expire(&home.host()).await;
    watch.run_doctor(name).await;
}

/// Renewals that fail in several ways, with what the server knows in what it says.
async fn renewals_refused(watch: &mut Watch<'_>, scene: &Scene, home: &Home) {
    for (name, _) in LOGINS {
        let said = known(scene, home, name).await;
        let page = format!("<html><body><pre>{said}</pre></body></html>");
        for fault in [
            Fault::oauth_error(503, "temporarily_unavailable", &said),
            Fault::Status(502, Vec::new(), page),
            Fault::oauth_error(400, "invalid_request", &said),
        ] {
            expire(&home.host()).await;
            let rule = FaultRule::on(Leg::Token).respond(fault);
            scene.world.auth.fault(rule);
            let run = watch.run_any(&["tools", name]).await;
            assert_ne!(run.code, 0, "{run}");
            watch.run_doctor(name).await;
            watch.run_any(&["doctor", name]).await;
            scene.world.auth.clear_faults();
        }
        watch.run(0, &["get", name, "--json"]).await;
    }
    watch.run(0, &["list", "--json"]).await;
}

/// The secrets of a login that its authorization server knows.
async fn known(scene: &Scene, home: &Home, name: &str) -> String {
    let grants = home.host().store().grants().await.expect("a store");
    let mut grants = grants.entries.into_iter();
    let grant = grants.find(|(key, _)| key.account == name && key.server == scene.world.mcp.url());
    let (_, grant) = grant.expect("a grant");
    let tokens = [grant.value.access_token, grant.value.refresh_token];
    let mut known: Vec<_> = tokens
        .iter()
        .flatten()
        .map(ExposeSecret::expose_secret)
        .collect();
    known.push(scene.jwt(name));
    known.join(" and ")
}
