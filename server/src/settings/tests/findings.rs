//! Every sort of finding, and that no input makes loading panic.

use proptest::prelude::*;

use super::*;

#[test]
fn everything_wrong_is_found_at_once_with_its_line() {
    let toml = "\
[server]
lisen = \"127.0.0.1:1\"
issuer = \"http://login.example.com\"
workers = \"four\"
max_body = 1

[tokens]
signing_alg = \"HS256\"
code.lifetime = \"11m\"
access_token = { lifetime = 600 }
refresh_token = 5

[sesions.device]
max_idle = \"1d\"

[sessions.browser]
max_idle = \"13h\"

[storage]
sealing_key_file = \"/nonexistent/key\"
sealing_key = \"abc\"

[outbound]
ca_file = \"/dev/null\"
";
    let expected = [
        ("symbolon.toml:2", "config.unknown_key"),
        ("symbolon.toml:3", "config.issuer"),
        ("symbolon.toml:4", "config.wrong_type"),
        ("symbolon.toml:5", "config.out_of_range"),
        ("symbolon.toml:8", "config.unknown_value"),
        ("symbolon.toml:9", "config.out_of_range"),
        ("symbolon.toml:10", "config.wrong_type"),
        ("symbolon.toml:11", "config.wrong_type"),
        ("symbolon.toml:13", "config.unknown_key"),
        ("symbolon.toml:17", "config.relation"),
        ("symbolon.toml:20", "config.unreadable_file"),
        ("symbolon.toml:21", "config.secret_in_the_open"),
        ("symbolon.toml:24", "config.unreadable_value"),
        ("SYMBOLON_SERVER__LISEN", "config.unknown_environment"),
        ("SYMBOLON_STORAGE__CACHE", "config.unreadable_value"),
        ("-D telemetry.level", "config.unknown_value"),
        ("-D server.isuer", "config.unknown_key"),
    ];
    let mut seen = findings(
        toml,
        &["telemetry.level=inof", "server.isuer=x"],
        &[("SYMBOLON_SERVER__LISEN", "x"), ("SYMBOLON_STORAGE__CACHE", "lots")],
    );
    let mut expected: Vec<_> = expected.map(|(place, id)| found(place, id)).into();
    seen.sort();
    expected.sort();
    assert_eq!(seen, expected);
}

#[test]
fn a_slip_is_answered_with_the_nearest_name() {
    for (toml, overrides, environment, suggestion) in [
        ("[server]\nlisen = 1", vec![], vec![], "did you mean server.listen?"),
        ("[servr]\nlisten = 1", vec![], vec![], "did you mean server?"),
        ("listen = 1", vec![], vec![], "did you mean server.listen?"),
        ("[tokens]\nacces_token.lifetime = 1", vec![], vec![], "did you mean tokens.access_token?"),
        ("[[client]]", vec![], vec![], "did you mean clients?"),
        ("[scopes.a]\nclaim = []", vec![], vec![], "did you mean claims?"),
        ("", vec!["server.lisen=1"], vec![], "did you mean server.listen?"),
        ("", vec!["servr.listen=1"], vec![], "did you mean server.listen?"),
        ("", vec!["authzStore.accesToken.defaultLifetime=1"], vec![], "did you mean authzStore.accessToken.defaultLifetime?"),
        ("", vec![], vec![("SYMBOLON_SERVER__LISEN", "1")], "did you mean SYMBOLON_SERVER__LISTEN?"),
        ("", vec![], vec![("SYMBOLON_SERVER_LISTEN", "1")], "did you mean SYMBOLON_SERVER__LISTEN?"),
    ] {
        let findings = in_memory(toml, &overrides, &environment).unwrap_err();
        assert_eq!(findings.0.iter().map(|one| one.remedy.as_str()).collect::<Vec<_>>(), [suggestion], "{toml} {overrides:?}");
    }
}

#[test]
fn a_syntax_error_is_one_finding_with_its_line() {
    let toml = "[server]\nlisten = \"127.0.0.1:1\"\nissuer = hunter2\n";
    assert_eq!(
        findings(toml, &["nonsense"], &[("SYMBOLON_X", "1")]),
        [
            found("symbolon.toml:3", "config.syntax"),
            found("SYMBOLON_X", "config.unknown_environment"),
            found("-D", "config.override")
        ]
    );
    assert!(!in_memory(toml, &[], &[]).unwrap_err().to_string().contains("hunter2"));
    assert_eq!(findings("[server]\na = 1\n[server]\n", &[], &[]), [found("symbolon.toml:3", "config.syntax")]);
}

#[test]
fn relations_are_judged_on_what_holds_after_all_layers() {
    let long = "[tokens.access_token]\nlifetime = \"48h\"\n";
    assert_eq!(findings(long, &[], &[]), [found("symbolon.toml:2", "config.relation")]);
    assert_eq!(findings(long, &["tokens.access_token.max_lifetime=48h"], &[]), []);
    assert_eq!(
        findings("", &["tokens.access_token.max_lifetime=5m"], &[]),
        [found("-D tokens.access_token.max_lifetime", "config.relation")]
    );
    assert_eq!(findings("", &["authzStore.accessToken.defaultLifetime=90000"], &[]).first().unwrap().1, "config.relation");
    assert_eq!(findings("", &["tokens.id_token.lifetime=25h"], &[]).len(), 1);
    assert_eq!(findings("", &["tokens.keys.rotate_every=30m"], &[]).len(), 1);
    assert_eq!(findings("", &["sessions.device.max_lifetime=1d"], &[]).len(), 1);
    assert_eq!(findings("", &["sessions.device.max_lifetime=1d", "sessions.device.max_idle=never"], &[]).len(), 0);
    assert_eq!(findings("", &["sign_in.password.memory_kib=8", "sign_in.password.lanes=2"], &[]).len(), 1);
}

#[test]
fn names_of_overrides_are_told_apart() {
    let properties = good("", &["op.deviceSSOHandler.enable=true", "com.example.x=a=b"], &[]).settings.handlers.properties;
    assert_eq!(properties["com.example.x"].value, "a=b");
    assert_eq!(findings("", &["nodots=1"], &[]), [found("-D nodots", "config.unknown_key")]);
    assert_eq!(findings("", &["tokens.x=1"], &[]), [found("-D tokens.x", "config.unknown_key")]);
    assert_eq!(findings("", &["scopes.payments.claims=a"], &[]), [found("-D scopes.payments.claims", "config.override")]);
    assert_eq!(findings("", &["server.listen"], &[]), [found("-D", "config.override")]);
}

#[test]
fn a_setting_that_nothing_reads_is_no_setting() {
    // Nobody can be asked to sign in again for a refresh token.
    let written = "[sessions.offline]\nauth_lifetime = \"9d\"\n";
    assert_eq!(findings(written, &[], &[]).iter().map(|(_, id)| *id).collect::<Vec<_>>(), ["config.unknown_key"]);
}

#[test]
fn names_that_containers_inject_are_no_findings() {
    let injected = [
        ("SYMBOLON_SERVICE_HOST", "10.0.0.1"),
        ("SYMBOLON_PORT_8080_TCP", "tcp://10.0.0.1:8080"),
        ("SYMBOLON_PORT", "x"),
        ("SYMBOLON_CONFIG", "f"),
    ];
    assert_eq!(findings("", &[], &injected), []);
    assert_eq!(findings("", &[], &[("SYMBOLON_PROPERTY_", "x")]), [found("SYMBOLON_PROPERTY_", "config.unknown_environment")]);
    assert_eq!(
        findings("", &[], &[("SYMBOLON_SIGN_IN__TITLE", "\u{fffd}")]),
        [found("SYMBOLON_SIGN_IN__TITLE", "config.unreadable_value")]
    );
}

#[test]
fn a_settings_file_that_cannot_be_read_is_a_finding() {
    let findings = load(Some(Path::new("/nonexistent/s.toml")), &["x=1".to_owned()], std::iter::empty()).unwrap_err();
    assert_eq!(findings.0.iter().map(|one| one.id).collect::<Vec<_>>(), ["config.unreadable_file", "config.unknown_key"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn no_settings_text_makes_it_panic(text in "([a-z0-9_.=\\[\\]{}\"' \n,#-]|\\PC)*") {
        let _ = in_memory(&text, &[], &[]);
    }

    #[test]
    fn no_value_of_any_setting_makes_it_panic(
        which in 0..leaves::LEAVES.len(),
        value in "(\"\\PC{0,8}\"|[0-9]{1,20}|-[0-9]{1,5}|true|\\[\\]|\\[1\\]|\\{a=1\\}|1979-05-27|[0-9]\\.[0-9]|\"[0-9]{1,22}[a-zA-Z]{1,3}\")",
    ) {
        let _ = in_memory(&format!("{} = {value}", leaves::LEAVES[which].key), &[], &[]);
    }

    #[test]
    fn no_override_or_variable_makes_it_panic(name in "(server|op|authzStore|tokens|\\PC){0,3}[._a-zA-Z]{0,12}", text in ".*") {
        let _ = in_memory("", &[&text, &format!("{name}={text}")], &[(&format!("SYMBOLON_{name}"), &text)]);
    }
}
