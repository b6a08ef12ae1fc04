//! The command line, on a database after a bad day.

use crate::shop::{CARD, Ran, SCRIPT, Shop, own, run, write};
use serde_json::Value;

fn rows(ran: &Ran) -> Vec<Value> {
    ran.out.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

#[tokio::test]
async fn what_waits_and_what_died_is_counted_listed_and_shown() {
    let shop = Shop::after_a_bad_day().await;
    let status = shop.outbox(&["status"]);
    assert_eq!(status.code, 0, "{status:?}");
    assert!(status.out.contains("print_ticket") && status.out.contains("20") && status.out.contains("10"), "{}", status.out);
    let status = rows(&shop.outbox(&["status", "--json"])).remove(0);
    assert_eq!((&status["overview"]["backlogs"][0]["key"], &status["overview"]["dead"][0]["letters"]), (&20.into(), &10.into()));
    let watched = shop.outbox(&["watch", "--every", "10ms", "--times", "3"]);
    assert_eq!(watched.out.matches("print_ticket").count(), 3);

    assert_eq!(rows(&shop.outbox(&["list", "--json"])).len(), 20);
    assert_eq!(rows(&shop.outbox(&["list", "--json", "--state", "due"])).len(), 0);
    let first = shop.outbox(&["list", "--limit", "15"]);
    let after = first.out.lines().last().and_then(|line| line.split('`').nth(1)).unwrap().to_owned();
    let (flag, cursor) = after.split_once(' ').unwrap();
    assert_eq!((flag, rows(&shop.outbox(&["list", "--json", flag, cursor])).len()), ("--after", 5));

    let letters = rows(&shop.outbox(&["dead", "list", "--json", "--limit", "3"]));
    let id = letters[0]["id"].as_str().unwrap();
    assert_eq!((letters.len(), &letters[0]["reason"], &letters[0]["blocks_key"]), (3, &"terminal".into(), &true.into()));
    let shown = shop.outbox(&["show", id]);
    assert!(shown.code == 0 && shown.out.contains("given up") && shown.out.contains("attempt 1: out of paper"), "{}", shown.out);
    let shown: Value = serde_json::from_str(&shop.outbox(&["dead", "show", id, "--json"]).out).unwrap();
    assert_eq!((&shown["state"], &shown["payload"]["fails"]), (&"dead".into(), &true.into()));
    let nobody = "01a201a2-6c1e-740c-8e9b-bd1e10816000";
    assert_eq!((shop.outbox(&["show", nobody]).code, shop.outbox(&["dead", "show", nobody]).code), (4, 4));
    let keys = rows(&shop.outbox(&["key", "list", "--json"]));
    assert_eq!((keys.len(), &keys[0]["blocked"]["waiting"]), (10, &2.into()));
    assert_eq!(shop.outbox(&["processes"]).out, "no process was seen within the last hour\n");
}

#[tokio::test]
async fn nothing_is_done_to_letters_that_nobody_confirmed() {
    let shop = Shop::after_a_bad_day().await;
    assert_eq!(shop.outbox(&["dead", "redrive", "--yes"]).code, 2, "which ones?");
    let dry = shop.outbox(&["dead", "redrive", "--all", "--dry-run"]);
    assert!(dry.code == 0 && dry.out.starts_with("would redrive 10 dead letters"), "{dry:?}");
    let asked = shop.outbox(&["dead", "discard", "--all"]);
    assert!(asked.code == 5 && asked.err.contains("--yes"), "{asked:?}");
    assert_eq!(shop.outbox(&["key", "unblock", &format!("{SCRIPT}3")]).code, 5);
    assert_eq!(shop.outbox(&["dead", "redrive", "--error", "no such text", "--yes"]).code, 4);
    assert_eq!(rows(&shop.outbox(&["dead", "list", "--json"])).len(), 10);
    assert!(shop.outbox(&["audit"]).out.contains("nobody has done anything"));
}

#[tokio::test]
async fn letters_are_redriven_and_discarded_in_one_line_and_the_audit_says_by_whom() {
    let shop = Shop::after_a_bad_day().await;
    let id = rows(&shop.outbox(&["dead", "list", "--json"]))[0]["id"].as_str().unwrap().to_owned();
    let done = shop.outbox(&["dead", "discard", "--id", &id, "--yes", "--actor", "li.lei"]);
    assert_eq!((done.code, &*done.out), (0, "discarded 1 dead letter\n"));
    let passed = shop.outbox(&["key", "unblock", &format!("{SCRIPT}3"), "--by", "pass", "--yes", "--actor", "li.lei"]);
    assert!(passed.code == 0 && passed.out.contains("passes 1 dead letter"), "{passed:?}");
    assert_eq!(rows(&shop.outbox(&["key", "list", "--json"])).len(), 8);
    let redriven = shop.outbox(&["dead", "redrive", "--all", "--yes", "--actor", "韩梅梅"]);
    assert_eq!((redriven.code, &*redriven.out), (0, "redrove 9 dead letters\n"));
    let audit = rows(&shop.outbox(&["audit", "--json"]));
    let lines: Vec<_> = audit.iter().map(|entry| (entry["actor"].as_str().unwrap(), entry["action"].as_str().unwrap())).collect();
    assert_eq!(lines, [("韩梅梅", "redrive"), ("li.lei", "pass"), ("li.lei", "discard")]);
    assert_eq!(audit[0]["detail"]["letters"], 9);
    let due = rows(&shop.outbox(&["list", "--json", "--target", "print_ticket", "--state", "due"]));
    assert_eq!(due.len(), 9 + 2, "the redriven ones, and the heads of the two keys that nothing blocks");
}

#[tokio::test]
async fn the_doctor_s_exit_code_is_for_monitors() {
    let shop = Shop::after_a_bad_day().await;
    let sick = shop.outbox(&["doctor"]);
    assert!(sick.code == 2 && sick.out.contains("CRITICAL  blocked keys"), "{sick:?}");
    let away = run(&["--database-url", "postgres://nobody@127.0.0.1:1/nothing", "doctor"]);
    assert!(away.code == 3 && away.out.contains("CRITICAL"), "{away:?}");
    let nobody = shop.outbox(&["doctor", "--to", "nats://127.0.0.1:1"]);
    assert!(nobody.code == 3 && nobody.out.contains("CRITICAL  broker"), "{nobody:?}");
    let server = events_tests::servers::NatsServer::start();
    let nats = format!("nats://127.0.0.1:{}", server.port());
    for _ in 0..2 {
        let missing = shop.outbox(&["doctor", "--to", &nats, "--destination", "ORDERS"]);
        assert!(missing.code == 3 && missing.out.contains("`ORDERS`"), "who only asks makes nothing: {missing:?}");
    }
    events_mq::nats::Nats::builder(&nats).stream("ORDERS").connect().await.unwrap();
    let there = shop.outbox(&["doctor", "--to", &nats, "--destination", "ORDERS"]);
    assert!(there.code == 2 && there.out.contains(&format!("{nats} answers")), "{there:?}");
    let broker = shop.outbox(&["doctor", "--to", "carrier-pigeon://li:s3cret@loft"]);
    assert!(broker.code == 3 && broker.out.contains("`nats://`") && !broker.out.contains("s3cret"), "{broker:?}");
}

#[tokio::test]
async fn tables_are_made_and_their_version_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new.db");
    let url = format!("sqlite:{}", path.display());
    let missing = run(&["-d", &url, "status"]);
    assert!(
        missing.code == 1 && missing.err.contains("check the path") && !path.exists(),
        "a slip of the pen makes no database: {missing:?}"
    );
    std::fs::write(&path, "").unwrap();
    assert_eq!(run(&["-d", &url, "migrate", "status"]).code, 1);
    let doctor = run(&["-d", &url, "doctor"]);
    assert!(doctor.code == 2 && doctor.out.contains("outbox migrate up"), "{doctor:?}");
    assert!(run(&["-d", &url, "migrate"]).out.contains("version 4 now (before: 0)"));
    assert!(run(&["-d", &url, "migrate", "up"]).out.contains("version 4 already"));
    assert_eq!(run(&["-d", &url, "migrate", "status"]).code, 0);
    assert!(
        run(&["-d", "postgres://localhost/x", "--schema", "qmq_produce", "migrate", "print"]).out.contains("\"qmq_produce\".outbox_audit")
    );
    let bad = run(&["-d", "postgres://localhost/x", "--schema", "x; DROP TABLE y", "status"]);
    assert!(bad.code == 1 && bad.err.contains("schema's name"), "{bad:?}");
}

#[tokio::test]
async fn several_databases_have_names_and_a_configuration() {
    let (one, other) = (Shop::after_a_bad_day().await, Shop::after_a_bad_day().await);
    let config =
        format!("[[database]]\nname = \"north\"\nurl = \"{}\"\n[[database]]\nname = \"south\"\nurl = \"{}\"\n", one.url(), other.url());
    let config = write(one.0.path(), "outbox.toml", &config);
    let both = run(&["--config", &config, "status"]);
    assert!(both.out.contains("# north") && both.out.contains("# south"), "{both:?}");
    assert_eq!(rows(&run(&["-c", &config, "--only", "south", "dead", "list", "--json"])).len(), 10);
    assert_eq!(run(&["-c", &config, "--only", "south", "dead", "discard", "--all", "-y"]).code, 0);
    assert_eq!(rows(&run(&["-c", &config, "dead", "list", "--json"])).len(), 10, "only the south's are gone");
    let misspelt = run(&["-c", &write(one.0.path(), "bad.toml", "[[databse]]\n"), "status"]);
    assert!(misspelt.code == 1 && misspelt.err.contains("databse"), "{misspelt:?}");
    assert!(run(&["status"]).err.contains("DATABASE_URL"));
}

#[test]
fn completions_and_manual_pages_are_there() {
    for shell in ["bash", "zsh", "fish"] {
        let ran = run(&["completions", shell]);
        assert!(ran.code == 0 && ran.out.contains("redrive"), "{shell}");
    }
    let folder = tempfile::tempdir().unwrap();
    let man = run(&["man", "--folder", &folder.path().display().to_string()]);
    assert_eq!(man.code, 0, "{man:?}");
    let pages = std::fs::read_dir(folder.path()).unwrap().count();
    assert!(pages > 15 && folder.path().join("outbox-dead-redrive.1").exists(), "{pages}");
    assert!(run(&["man"]).out.contains("Exit codes"));
}

#[tokio::test]
async fn what_is_sensitive_is_never_printed() {
    let shop = Shop::after_a_bad_day().await;
    let id = rows(&shop.outbox(&["dead", "list", "--json"]))[0]["id"].as_str().unwrap().to_owned();
    for arguments in [&["show", &id][..], &["show", &id, "--json"], &["dead", "show", &id], &["dead", "show", &id, "--json"]] {
        let shown = shop.outbox(arguments);
        assert!(shown.code == 0 && shown.out.contains("***") && !shown.out.contains(CARD), "{arguments:?}: {}", shown.out);
    }
    for arguments in [&["list", "--json"][..], &["dead", "list", "--json"], &["status"], &["audit"]] {
        assert!(!shop.outbox(arguments).out.contains(CARD), "{arguments:?}");
    }
}

#[test]
fn a_program_of_one_s_own_tells_its_events_and_what_has_changed_in_them() {
    let nothing = run(&["catalog"]);
    assert!(nothing.code == 1 && nothing.err.contains("events_cli::main()"), "{nothing:?}");
    let table = own(&["catalog"]);
    assert!(table.code == 0 && table.out.contains("order.payok") && table.out.contains("issue_ticket"), "{table:?}");
    let catalog: Value = serde_json::from_str(&own(&["catalog", "--json"]).out).unwrap();
    assert_eq!((&catalog["events"][0]["topic"], &catalog["events"][0]["sensitive"][0]), (&"order.payok".into(), &"card".into()));
    let document: Value = serde_json::from_str(&own(&["catalog", "--format", "asyncapi", "--title", "shop"]).out).unwrap();
    assert_eq!((&document["info"]["title"], document["asyncapi"].as_str().map(|version| &version[..2])), (&"shop".into(), Some("3.")));

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.lock");
    let lock = path.display().to_string();
    assert!(own(&["schema", "check", "--lock", &lock]).err.contains("outbox schema lock"));
    assert_eq!(own(&["schema", "lock", "--lock", &lock]).code, 0);
    let same = own(&["schema", "check", "--lock", &lock]);
    assert_eq!((same.code, &*same.out), (0, "nothing has changed\n"));
    // What the release before had is not there any more.
    let before = std::fs::read_to_string(&path).unwrap().replace("amount_cents", "amount");
    std::fs::write(&path, &before).unwrap();
    let broken = own(&["schema", "check", "--lock", &lock]);
    assert!(broken.code == 1 && broken.out.contains("order.payok") && broken.out.contains("amount"), "{broken:?}");
    assert!(rows(&own(&["schema", "check", "--lock", &lock, "--json"])).iter().any(|change| change["severity"] == "breaking"));
    assert_eq!(own(&["schema", "lock", "--lock", &lock]).code, 1);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), before, "what breaks is not locked");
    assert_eq!(own(&["schema", "lock", "--lock", &lock, "--force"]).code, 0);
    assert_eq!(own(&["schema", "check", "--lock", &lock]).code, 0);
}

#[tokio::test]
async fn the_configuration_of_the_manifest_is_one() {
    let shop = Shop::after_a_bad_day().await;
    let manifest = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/kubernetes/relay.yaml")).unwrap();
    let lines = manifest.lines().skip_while(|line| line.trim() != "outbox.toml: |").skip(1).take_while(|line| !line.starts_with("---"));
    let config = lines.map(str::trim).collect::<Vec<_>>().join("\n");
    assert!(config.contains("[broker]"), "{config}");
    let config = write(shop.0.path(), "manifest.toml", &config);
    let ran = shop.outbox(&["--config", &config, "status"]);
    assert_eq!(ran.code, 0, "{ran:?}");
}
