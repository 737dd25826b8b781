use super::*;

const OWNER: &str = r#"
role = "owner"
party = "health"
trust_domain = "linkage.test"
listen = "127.0.0.1:0"
data_dir = "data"
credential = "file:credential"
signing_key = "signing.key"
sealing_key = "sealing.key"
tls = { cert = "cert.pem", key = "key.pem", ca = "ca.pem" }
[[peer]]
role = "matcher"
party = "matcher"
address = "127.0.0.1:1"
[[dataset]]
name = "people"
path = "/data/people.csv"
"#;

/// A folder with a configuration, and what to add to it.
struct Layout(tempfile::TempDir);

impl Layout {
    fn new(text: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("node.toml"), text).unwrap();
        std::fs::create_dir(dir.path().join("conf.d")).unwrap();
        Self(dir)
    }

    fn more(&self, name: &str, text: &str) {
        std::fs::write(self.0.path().join("conf.d").join(name), text).unwrap();
    }

    fn load(&self, variables: &[(&str, &str)], set: &[&str]) -> Result<Loaded, Error> {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Loaded::load(&Sources {
            file: self.0.path().join("node.toml"),
            variables: variables.iter().map(owned).collect(),
            set: set.iter().map(|text| (*text).to_owned()).collect(),
        })
    }
}

fn refused(result: Result<Loaded, Error>) -> Vec<String> {
    match result {
        Err(Error::Refused(complaints)) => complaints.iter().map(ToString::to_string).collect(),
        other => panic!("{other:?}"),
    }
}

fn origin(loaded: &Loaded, key: &str) -> (String, String) {
    let entry = loaded.entries.iter().find(|entry| entry.key == key);
    let entry = entry.unwrap_or_else(|| panic!("no {key} in {:?}", loaded.entries));
    let origin = entry.origin.to_string();
    let name = origin.rsplit_once('/').map_or(origin.as_str(), |(_, n)| n);
    (entry.value.clone(), name.to_owned())
}

#[test]
fn later_layers_win_and_each_value_knows_its_layer() {
    let layout = Layout::new(&format!("{OWNER}[limits]\nsilent_max = 100\n"));
    layout.more(
        "20-more.toml",
        "[limits]\nsilent_max = 200\nhandshakes_max = 2\nconnections_max = 3",
    );
    layout.more("10-less.toml", "[limits]\nhandshakes_max = 1");
    layout.more("ignored.txt", "nonsense");
    let variables = [
        ("LINKAGE__LIMITS__CONNECTIONS_MAX", "4"),
        ("LINKAGE__LIMITS__DRAIN_TIMEOUT_S", "5"),
        ("LINKAGE__TLS__CERT", "other.pem"),
    ];
    let loaded = layout
        .load(&variables, &["limits.drain_timeout_s=6"])
        .unwrap();
    let is = |key: &str, value: &str, place: &str| {
        assert_eq!(origin(&loaded, key), (value.to_owned(), place.to_owned()));
    };
    is("limits.silent_max", "200", "20-more.toml:2");
    is("limits.handshakes_max", "2", "20-more.toml:3");
    is(
        "limits.connections_max",
        "4",
        "LINKAGE__LIMITS__CONNECTIONS_MAX",
    );
    is("limits.drain_timeout_s", "6", "--set");
    is("limits.keepalive_timeout_s", "10", "default");
    is("party", "\"health\"", "node.toml:3");
    is("peer[0].address", "\"127.0.0.1:1\"", "node.toml:14");
    let settings = &loaded.settings;
    assert_eq!(settings.limits.silent_max, 200);
    assert_eq!(settings.limits.drain_timeout.as_secs(), 6);
    assert_eq!(settings.tls.cert, layout.0.path().join("other.pem"));
    assert_eq!(settings.data_dir, layout.0.path().join("data"));
    assert_eq!(
        settings.dataset("people").unwrap().path.as_deref(),
        Some(Path::new("/data/people.csv"))
    );
}

#[test]
fn repeated_tables_add_up() {
    let layout = Layout::new(OWNER);
    layout.more(
        "peer-credit.toml",
        "[[peer]]\nrole = \"owner\"\nparty = \"credit\"\naddress = \"c:1\"\n\
         signing_key = \"00\"\nsealing_key = \"11\"\n",
    );
    let loaded = layout.load(&[], &[]).unwrap();
    assert_eq!(loaded.settings.peers.len(), 2);
    assert_eq!(
        origin(&loaded, "peer[1].party"),
        ("\"credit\"".to_owned(), "peer-credit.toml:3".to_owned())
    );
}

#[test]
fn everything_wrong_is_named_with_its_line_and_the_nearest_key() {
    let text = OWNER.replace(
        "party = \"health\"",
        "party = \"health\"\ncolour = 1\nlisten_adress = 2",
    );
    let layout = Layout::new(&text.replace("address = ", "adress = "));
    layout.more(
        "a.toml",
        "[limits]\ndrain_timeout = 3\nsilent_max = \"many\"",
    );
    let variables = [("LINKAGE__LIMITS__SILENTMAX", "4")];
    let found = refused(layout.load(&variables, &["peer.address=x", "limits"]));
    let has = |place: &str, words: &str| {
        let hit = |one: &&String| one.contains(place) && one.contains(words);
        assert!(
            found.iter().any(|one| hit(&one)),
            "{place} {words}: {found:#?}"
        );
    };
    has("node.toml:4: ", "no key `colour`; `linkage config explain`");
    has(
        "node.toml:16: ",
        "no key `peer[0].adress`; `address` is meant?",
    );
    has(
        "a.toml:2: ",
        "no key `limits.drain_timeout`; `drain_timeout_s` is",
    );
    has("a.toml:3: ", "`limits.silent_max` must be a whole number");
    has(
        "LINKAGE__LIMITS__SILENTMAX: ",
        "`limits.silent_max` is meant?",
    );
    has("--set: ", "within a repeated table");
    has("--set: ", "key=value");
    let broken = refused(Layout::new("role = \"owner\"\nparty = ").load(&[], &[]));
    assert!(broken[0].contains("node.toml:2: "), "{broken:?}");
}

#[test]
fn wrong_values_and_contradictions_are_named_with_their_place() {
    let bad = OWNER.replace("\"health\"", "\"No Such Name\"");
    let found = refused(Layout::new(&bad).load(&[], &[]));
    assert!(found[0].contains("node.toml:3: `party`"), "{found:?}");
    let layout = Layout::new(OWNER);
    let found = refused(layout.load(&[], &["limits.silent_max=0"]));
    assert!(found[0].contains("--set: `limits.silent_max`"), "{found:?}");
    let found = refused(layout.load(&[], &["role=boss"]));
    assert!(found[0].contains("one of owner, matcher"), "{found:?}");
    let missing = OWNER.replace("listen = \"127.0.0.1:0\"\n", "");
    let found = refused(Layout::new(&missing).load(&[], &[]));
    assert!(found[0].contains("`listen`"), "{found:?}");
}

#[test]
fn a_key_itself_is_no_value_and_is_not_repeated() {
    let secret = "5ec7e7".repeat(11)[..64].to_owned();
    let text = OWNER.replace("\"signing.key\"", &format!("\"{secret}\""));
    let found = refused(Layout::new(&text).load(&[("LINKAGE__SEALING_KEY", &secret)], &[]));
    assert_eq!(found.len(), 2, "{found:?}");
    for one in found {
        assert!(one.contains("holds a key itself"), "{one}");
        assert!(!one.contains(&secret), "{one}");
    }
}

#[test]
fn a_matcher_refuses_plaintext_sources_and_keys() {
    let matcher = OWNER.replacen("\"owner\"", "\"matcher\"", 1);
    let load = |text: &str| Layout::new(text).load(&[], &[]);
    assert!(refused(load(&matcher))[0].contains("[[dataset]]"));
    let (head, _) = matcher.split_once("[[dataset]]").unwrap();
    assert!(refused(load(head))[0].contains("sealing_key"));
    load(&head.replace("sealing_key = \"sealing.key\"\n", "")).unwrap();
}

#[test]
fn every_key_is_explained() {
    let mut names = vec![];
    fn look(keys: &std::collections::BTreeMap<String, Key>, names: &mut Vec<String>) {
        for key in keys.values() {
            assert!(!key.meaning.is_empty(), "{} is not explained", key.name);
            assert!(!key.meaning.contains("Self::"), "{}", key.meaning);
            if key.name.starts_with("limits.") {
                assert!(key.default.is_some(), "{}", key.name);
                assert!(!key.reason.is_empty(), "{} has no reason", key.name);
            }
            names.push(key.name.clone());
            look(key.kind.keys().unwrap_or(&Default::default()), names);
        }
    }
    look(catalogue(), &mut names);
    for key in [
        "role",
        "tls.cert",
        "peer[].address",
        "limits.drain_timeout_s",
    ] {
        assert!(names.iter().any(|name| name == key), "{key} in {names:?}");
    }
}

#[test]
fn written_settings_are_read_again() {
    let settings = Layout::new(OWNER).load(&[], &[]).unwrap().settings;
    let text = toml::to_string(&settings).unwrap();
    assert_eq!(
        Layout::new(&text).load(&[], &[]).unwrap().settings,
        settings
    );
}

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/configuration.md");

fn page() -> String {
    fn rows(keys: &std::collections::BTreeMap<String, Key>, page: &mut String) {
        for key in keys.values() {
            if let Some(inner) = key.kind.keys() {
                rows(inner, page);
                continue;
            }
            let default = match (&key.default, key.is_required) {
                (Some(default), _) => format!("`{default}`"),
                (None, true) => "must be given".to_owned(),
                (None, false) => "none".to_owned(),
            };
            let text = format!("{} {}", key.meaning, key.reason.replace("\n\n", " "));
            page.push_str(&format!(
                "| `{}` | {} | {default} | {} |\n",
                key.name,
                key.kind.words(),
                text.trim()
            ));
        }
    }
    let mut page = String::from(
        "# Configuration\n\n\
         Every key of a node's configuration, what it means, and why its default is what it is. How the\n\
         layers are put together stands in [operating.md](operating.md). This page is written from\n\
         `node/src/settings` and `node/src/limits.rs`: `BLESS=1 cargo test -p linkage-node\n\
         configuration_page` renews it.\n\n\
         | key | holds | default | meaning and reason |\n|---|---|---|---|\n",
    );
    rows(catalogue(), &mut page);
    page
}

#[test]
fn configuration_page_is_current() {
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(PAGE, page()).unwrap();
    }
    assert_eq!(std::fs::read_to_string(PAGE).unwrap(), page());
}

#[test]
fn a_secret_in_the_place_of_its_reference_is_refused_and_not_shown() {
    let secret = "a secret that nobody should see";
    let text = OWNER.replace("file:credential", secret);
    let found = refused(Layout::new(&text).load(&[], &[]));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("credential:NAME"), "{found:?}");
    assert!(!found[0].contains(secret), "{found:?}");
}
