//! What holds of two tables and the environment, and who is said to have said so.

use std::path::PathBuf;

use super::*;

/// `profile_of` after `[network]` with these lines and the server's own with those.
fn in_tables(environment: &Environment, global: &str, own: &str) -> NetworkInForce {
    let text = format!("[network]\n{global}\n[mcp_servers.a.network]\n{own}\n");
    let config = config(&text);
    NetworkInForce::of(environment, config.network(), &config.servers()[0])
}

fn authority_in(folder: &tempfile::TempDir, name: &str) -> PathBuf {
    let path = folder.path().join(name);
    let authority = doorkey_testkit::CertificateAuthority::new().expect("an authority");
    fs::write(&path, authority.pem()).expect("a file");
    path
}

#[test]
fn roots_of_variables_and_tables_add_up_and_replace_the_systems_as_documented() {
    let folder = tempfile::tempdir().expect("a folder");
    let [one, two, three] = ["one", "two", "three"].map(|name| authority_in(&folder, name));
    let listed = format!("ca_certificates = [{:?}]", one.display().to_string());
    let own = format!("ca_certificates = [{:?}]", two.display().to_string());
    let off = "system_roots = false\n";
    let on = "system_roots = true\n";
    for (variables, global, own, expected) in [
        (vec![], String::new(), "", "system"),
        (vec![], listed.clone(), "", "system and 1"),
        (vec![], listed.clone(), own.as_str(), "system and 2"),
        (vec![], format!("{off}{listed}"), "", "only 1"),
        (vec![], format!("{off}{listed}"), own.as_str(), "only 2"),
        (vec![], format!("{off}{listed}"), on, "system and 1"),
        (vec![], listed.clone(), off, "only 1"),
        (vec![("SSL_CERT_FILE", &two)], listed.clone(), "", "only 2"),
        (vec![("SSL_CERT_FILE", &two)], on.to_owned(), "", "system"),
        (
            vec![("SSL_CERT_FILE", &two)],
            format!("{off}{listed}"),
            on,
            "system and 1",
        ),
        (
            vec![("SSL_CERT_FILE", &two)],
            format!("{off}{listed}"),
            "",
            "only 1",
        ),
        (
            vec![("DOORKEY_CA_CERTIFICATE", &three)],
            String::new(),
            "",
            "system and 1",
        ),
        (
            vec![("DOORKEY_CA_CERTIFICATE", &three)],
            off.to_owned(),
            "",
            "only 1",
        ),
        (
            vec![("SSL_CERT_FILE", &two), ("DOORKEY_CA_CERTIFICATE", &three)],
            listed.clone(),
            "",
            "only 3",
        ),
    ] {
        let environment = Environment::new(variables);
        let network = in_tables(&environment, &global, own);
        let found = match network.profile(&[]).expect("a profile").roots {
            Roots::System => "system".to_owned(),
            Roots::SystemAnd(roots) => format!("system and {}", roots.len()),
            Roots::Only(roots) => format!("only {}", roots.len()),
            other => panic!("{other:?}"),
        };
        assert_eq!(found, expected, "{environment:?} {global} {own}");
    }
}

#[test]
fn of_folders_with_certificates_what_cannot_be_used_is_passed_over_unless_it_is_all() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    for name in ["good", "bare"] {
        fs::create_dir(at(name)).expect("a folder");
    }
    authority_in(&folder, "good/one.pem");
    // Sparse: larger than anything that is read, and nothing on the disk.
    let large = fs::File::create(at("good/large.pem")).expect("a file");
    large.set_len(1 << 30).expect("a length");
    let roots = |folders: &[&str]| {
        let paths = folders.iter().map(|name| at(name));
        let list = std::env::join_paths(paths).expect("a list");
        let environment = Environment::new([("SSL_CERT_DIR", list)]);
        let profile = in_tables(&environment, "", "").profile(&[]);
        profile.map(|profile| match profile.roots {
            Roots::Only(roots) => roots.len(),
            other => panic!("{other:?}"),
        })
    };
    assert_eq!(roots(&["good"]).expect("one is good"), 1);
    assert_eq!(roots(&["absent", "good", "bare"]).expect("so is one"), 1);
    let error = told(&roots(&["absent", "bare"]).expect_err("none is"));
    assert!(
        error.contains("SSL_CERT_DIR") && error.contains("bare"),
        "{error}"
    );
}

#[test]
fn without_the_systems_roots_there_have_to_be_others() {
    for (global, own, table) in [
        ("system_roots = false", "", "[network]"),
        ("", "system_roots = false", "[mcp_servers.a.network]"),
    ] {
        let variable = Environment::new([("SSL_CERT_FILE", "/nonexistent")]);
        let error = in_tables(&variable, global, own)
            .profile(&[])
            .expect_err(table);
        assert_eq!(
            told(&error),
            format!("system_roots = false in {table} leaves no certificate authority to trust")
        );
        let next = crate::Error::from(error).remedy().expect("a next step");
        assert_eq!(
            next,
            format!("write ca_certificates = [\"company-ca.pem\"] in {table}")
        );
    }
}

#[test]
fn the_narrower_key_then_the_narrower_table_says_which_proxy() {
    let environment = Environment::new([("ALL_PROXY", "http://env"), ("NO_PROXY", "a, b c")]);
    let shown = |choice: &Setting<ProxyChoice>| {
        let proxy = match &choice.value {
            ProxyChoice::Through(proxy) => proxy.url().host_str().unwrap_or_default(),
            ProxyChoice::Direct => "none",
            other => panic!("{other:?}"),
        };
        format!("{proxy} {}", choice.set_by)
            .replace("[network]", "G")
            .replace("[mcp_servers.a.network]", "O")
    };
    let (proxy, https, none) = (
        "proxy = \"http://p\"\n",
        "https_proxy = \"http://s\"\n",
        "proxy = \"none\"\n",
    );
    let http_none = format!("{proxy}http_proxy = \"none\"\n");
    let env = "env variable ALL_PROXY";
    for (global, own, for_https, for_http) in [
        ("", "", env, env),
        (proxy, "", "p G", "p G"),
        (https, "", "s G", env),
        (&http_none, "", "p G", "none G"),
        (https, proxy, "p O", "p O"),
        (proxy, https, "s O", "p G"),
        (proxy, none, "none O", "none O"),
        (none, "", "none G", "none G"),
    ] {
        let proxies = in_tables(&environment, global, own).proxies;
        let found = (shown(&proxies.https), shown(&proxies.http));
        assert_eq!(
            (found.0.as_str(), found.1.as_str()),
            (for_https, for_http),
            "{global} {own}"
        );
        assert_eq!(proxies.no_proxy.value.expect("text"), ["a", "b", "c"]);
    }
    let broken = Environment::new([("HTTPS_PROXY", "socks5://nowhere")]);
    let rules = in_tables(&broken, none, "").proxies.rules();
    assert!(rules.expect("nobody asks the variable").https.is_none());
}

#[test]
fn hosts_without_a_proxy_add_up_and_win_over_the_environment() {
    let environment = Environment::new([("NO_PROXY", "env.example")]);
    for (global, own, hosts, table) in [
        ("", "", &["env.example"][..], "variable NO_PROXY"),
        ("no_proxy = [\"x\"]", "", &["x"], "[network]"),
        (
            "no_proxy = [\"x\"]",
            "no_proxy = [\"y\"]",
            &["x", "y"],
            "[mcp_servers.a.network]",
        ),
        ("", "no_proxy = []", &[], "[mcp_servers.a.network]"),
    ] {
        let proxies = in_tables(&environment, global, own).proxies;
        let found = proxies.no_proxy;
        assert_eq!(found.value.expect("text"), hosts, "{global} {own}");
        assert_eq!(found.set_by.to_string(), table);
    }
}

#[test]
fn single_values_of_a_server_win_and_lists_add_up() {
    let network = in_tables(
        &Environment::default(),
        "connect_timeout_sec = 3\nuser_agent = \"x\"\nhttp2 = false\n\
         allow_networks = [\"10.0.0.0/8\"]\nallow_origins = [\"https://g.example\"]",
        "connect_timeout_sec = 4\nallow_networks = [\"fd00::/8\"]",
    );
    let profile = network.profile(&[]).expect("a profile");
    assert_eq!(profile.timeouts.connect.as_secs(), 4);
    assert_eq!(
        profile.timeouts.read,
        doorkey_http::Timeouts::default().read
    );
    assert_eq!((profile.user_agent.as_str(), profile.http2), ("x", false));
    let networks: Vec<_> = profile
        .addresses
        .networks
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(networks, ["10.0.0.0/8", "fd00::/8"]);
    assert_eq!(
        network.connect_timeout.set_by.to_string(),
        "[mcp_servers.a.network]"
    );
    assert_eq!(network.user_agent.set_by.to_string(), "[network]");
    assert_eq!(network.read_timeout.set_by, SetBy::Default);
}

#[test]
fn of_one_header_in_one_scope_the_servers_own_counts_and_scopes_stay_apart() {
    let text = "http_headers = { X-Key = \"text\", X-Own = \"own\" }\n\
                env_http_headers = { X-Key = \"KEY\" }\n\
                [network]\ndefault_headers = { X-Route = \"g\", X-Key = \"all\" }\n\
                origin_headers.\"https://gw.example\" = { X-Gate = \"g\", X-Other = \"g\" }\n\
                [mcp_servers.a.network]\ndefault_headers = { X-Route = \"o\" }\n\
                origin_headers.\"https://gw.example\" = { X-Gate = \"o\" }\n";
    let environment = Environment::new([("KEY", "variable")]);
    let profile = profile_of(&environment, text).expect("a profile");
    assert_eq!(profile.resource_headers["x-key"], "variable");
    assert_eq!(profile.resource_headers["x-own"], "own");
    assert_eq!(profile.default_headers["x-route"], "o");
    assert_eq!(profile.default_headers["x-key"], "all");
    let [(origin, gate)] = &profile.origin_headers[..] else {
        panic!("{:?}", profile.origin_headers);
    };
    assert_eq!(origin.to_string(), "https://gw.example");
    assert_eq!(
        (&gate["x-gate"], &gate["x-other"]),
        (&"o".parse().unwrap(), &"g".parse().unwrap())
    );
    assert!(gate.values().all(HeaderValue::is_sensitive));
}

#[test]
fn what_a_person_writes_of_authorization_servers_needs_no_other_permission() {
    let text = "trusted_issuer = \"https://trusted.corp\"\n[mcp_servers.a.oauth]\nclient_id = \"i\"\n\
                issuer = \"https://login.corp/tenant\"\n[mcp_servers.a.oauth.endpoints]\n\
                authorization_endpoint = \"https://login.corp/a\"\n\
                token_endpoint = \"https://tokens.corp:8443/t\"\n\
                [network]\nallow_origins = [\"https://login.corp\"]\n";
    let profile = profile_of(&Environment::default(), text).expect("a profile");
    let allowed: Vec<_> = profile
        .addresses
        .allow
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        allowed,
        [
            "https://login.corp",
            "https://trusted.corp",
            "https://tokens.corp:8443"
        ]
    );
}
