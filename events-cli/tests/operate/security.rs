//! What a stranger must not be able to do.

use crate::dashboard::{Browser, site, token_of};
use crate::shop::{CARD, SCRIPT, Shop, program, run};
use axum::body::Body;
use axum::http::{Request, StatusCode};
use events_cli::dashboard::{Access, Dashboard, router};
use events_core::test_kit::wait_until;
use events_sqlx::{Console, Filter};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Stdio};

const TOKEN: &str = "a token that is long enough";

/// `outbox serve` on a port of its own; killed when it is dropped.
struct Served {
    child: Child,
    address: SocketAddr,
}

impl Served {
    fn start(shop: &Shop, arguments: &[&str]) -> Self {
        let url = shop.url();
        let mut child =
            program().args(["-d", &url, "serve", "--listen", "127.0.0.1:0"]).args(arguments).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.split("http://").nth(1).and_then(|rest| rest.trim().trim_end_matches('/').parse().ok());
        Self { child, address: address.unwrap_or_else(|| panic!("an address: {line:?}")) }
    }

    /// The first line of the answer to a request that is written by hand.
    fn said(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    fn status(&self, path: &str, headers: &str) -> String {
        let answer = self.said(&format!("GET {path} HTTP/1.1\r\nConnection: close\r\n{headers}\r\n\r\n"));
        answer.split(' ').nth(1).unwrap_or_default().to_owned()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn whatever_others_can_reach_does_not_start_without_a_token() {
    let shop = Shop::after_a_bad_day().await;
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:8180"] {
        let refused = shop.outbox(&["serve", "--listen", address]);
        assert!(refused.code == 1 && refused.err.contains("--token"), "{address}: {refused:?}");
    }
    for (arguments, said) in [
        (["--token", "short"], "16 characters"),
        (["--basic-auth", "li:short"], "8 characters"),
        (["--basic-auth", "no colon"], "USER:PASSWORD"),
    ] {
        let refused = run(&[&["-d", &shop.url(), "serve", "--listen", "0.0.0.0:0"], &arguments[..]].concat());
        assert!(refused.code == 1 && refused.err.contains(said), "{refused:?}");
    }
}

#[tokio::test]
async fn who_does_not_know_the_token_sees_and_does_nothing() {
    let shop = Shop::after_a_bad_day().await;
    let basic = Access::Basic { user: "li.lei".into(), password: "correct horse".into() };
    for access in [Access::Token(TOKEN.into()), basic] {
        let is_token = matches!(access, Access::Token(_));
        let (site, console) = site(&shop, access).await;
        for header in
            ["", "Bearer wrong", "Bearer ", "Basic d3Jvbmc6d3Jvbmc=", "Basic !!!", "Bearer a token that is long enoug", "Digest x"]
        {
            let mut browser = Browser::at(site.clone());
            if !header.is_empty() {
                browser.headers = vec![("authorization", header.to_owned())];
            }
            for path in ["/", "/d/shop", "/d/shop/events", "/d/shop/dead", "/d/shop/keys", "/d/shop/processes", "/d/shop/audit", "/nowhere"]
            {
                let answer = browser.get(path).await;
                let turned_away = answer.status == StatusCode::UNAUTHORIZED || is_token && header.is_empty() && answer.location == "/login";
                assert!(turned_away && !answer.body.contains("print_ticket"), "{header:?} {path}: {}", answer.status);
            }
            let acted = browser.post("/d/shop/act", "which=all&request=discard").await;
            assert_eq!(acted.status, StatusCode::UNAUTHORIZED, "{header:?}");
        }
        assert_eq!(console.count_dead(&Filter::all()).await.unwrap(), 10);
    }
}

#[tokio::test]
async fn who_knows_the_token_logs_in_and_out() {
    let shop = Shop::after_a_bad_day().await;
    let (site, _) = site(&shop, Access::Token(TOKEN.into())).await;
    let mut browser = Browser::at(site.clone());
    let wrong = browser.submit("/login", "/login", "token=not+the+token").await;
    assert!(wrong.status == StatusCode::UNAUTHORIZED && wrong.body.contains("not the token"), "{}", wrong.body);
    assert_eq!(browser.get("/d/shop").await.location, "/login");
    let right = browser.submit("/login", "/login", "token=a+token+that+is+long+enough").await;
    assert_eq!((right.status, &*right.location), (StatusCode::SEE_OTHER, "/"));
    assert_eq!(browser.get("/d/shop").await.status, StatusCode::OK);
    browser.submit("/d/shop", "/logout", "").await;
    assert_eq!(browser.get("/d/shop").await.location, "/login");
    let mut program = Browser::at(site);
    program.headers = vec![("authorization", format!("Bearer {TOKEN}"))];
    assert_eq!(program.get("/d/shop").await.status, StatusCode::OK);
    assert_eq!(program.post("/d/shop/act", "which=all&request=redrive").await.status, StatusCode::SEE_OTHER, "a program has no form");
}

#[tokio::test]
async fn a_form_of_another_site_or_another_browser_does_nothing() {
    let shop = Shop::after_a_bad_day().await;
    let (site, console) = site(&shop, Access::Trusted).await;
    let mut other = Browser::at(site.clone());
    let stolen = token_of(&other.get("/d/shop/dead").await.body);
    let mut browser = Browser::at(site);
    let own = token_of(&browser.get("/d/shop/dead").await.body);
    let act = "which=all&request=discard";
    for form in [act.to_owned(), format!("{act}&csrf="), format!("{act}&csrf={stolen}"), format!("{act}&csrf={}", &own[1..])] {
        for path in ["/d/shop/act", "/d/shop/confirm", "/settings"] {
            let refused = browser.post(path, &form).await;
            assert_eq!(refused.status, StatusCode::FORBIDDEN, "{path} {form}");
        }
    }
    for from in ["cross-site", "same-site"] {
        browser.headers = vec![("sec-fetch-site", from.to_owned())];
        assert_eq!(browser.post("/d/shop/act", &format!("{act}&csrf={own}")).await.status, StatusCode::FORBIDDEN, "{from}");
    }
    // Reading changes nothing, whatever the address says.
    browser.headers.clear();
    for path in ["/d/shop/act?which=all&request=discard", "/d/shop/dead?did=discard&many=10"] {
        browser.get(path).await;
    }
    assert_eq!((console.count_dead(&Filter::all()).await.unwrap(), console.audit(None, 10).await.unwrap().len()), (10, 0));
    assert_eq!(browser.post("/d/shop/act", &format!("{act}&csrf={own}")).await.status, StatusCode::SEE_OTHER, "its own form it may send");
    assert_eq!(console.count_dead(&Filter::all()).await.unwrap(), 0);
}

#[tokio::test]
async fn stored_scripts_are_shown_as_text() {
    let shop = Shop::after_a_bad_day().await;
    let (site, console) = site(&shop, Access::Trusted).await;
    let id = console.dead(&Filter::all(), events_sqlx::Order::NewestFirst, None).await.unwrap().rows[0].id;
    let mut browser = Browser::at(site);
    let script = "%3Cscript%3Ealert(1)%3C%2Fscript%3E";
    let story = format!("/d/shop/events/{id}");
    let typed = format!("/d/shop/dead?error={script}&key=%22%3E{script}&since=1h");
    let refused = format!("/d/shop/events?since={script}");
    for path in ["/d/shop", "/d/shop/events", "/d/shop/dead", "/d/shop/keys", &story, &typed, &refused, &format!("/d/{script}")] {
        let answer = browser.get(path).await;
        assert!(!answer.body.contains(SCRIPT), "{path}");
        assert!(!answer.body.contains(CARD), "{path}");
        let policy = answer.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("script-src 'self'") && policy.contains("default-src 'none'"), "{policy}");
        assert!(answer.headers["x-content-type-options"] == "nosniff" && answer.headers["x-frame-options"] == "DENY");
    }
    let shown = browser.get(&story).await.body;
    assert!(shown.contains("***"), "what is sensitive is masked: {shown}");
    assert!(
        shown.contains("&#60;script&#62;alert(1)&#60;/script&#62;") || shown.contains("&lt;script&gt;alert(1)"),
        "it is there, as text: {shown}"
    );
    let form = format!("which=key&request=redrive&key={script}3&target=print_ticket");
    assert!(!browser.submit("/d/shop/keys", "/d/shop/confirm", &form).await.body.contains(SCRIPT));
}

#[tokio::test]
async fn sql_in_a_search_field_is_only_text() {
    let shop = Shop::after_a_bad_day().await;
    let (site, console) = site(&shop, Access::Trusted).await;
    let mut browser = Browser::at(site);
    for field in ["target", "topic", "key", "error", "reason"] {
        for sql in ["' OR '1'='1", "'; DROP TABLE outbox_dead; --", "\\' OR 1=1 #", "%", "_", "\u{0}"] {
            let sql: String = sql.bytes().map(|byte| format!("%{byte:02X}")).collect();
            for page in ["events", "dead"] {
                let answer = browser.get(&format!("/d/shop/{page}?{field}={sql}")).await;
                let found = answer.body.matches("<th scope=\"row\">").count();
                // What the errors of this shop really contain.
                let meant = page == "dead" && field == "error" && sql.contains("%4F%52%20") && !sql.contains("%5C");
                assert!(
                    answer.status != StatusCode::INTERNAL_SERVER_ERROR && (found == 0 || meant || page == "events" && field == "reason"),
                    "{page} {field} {sql}: {found}"
                );
            }
        }
    }
    assert_eq!(console.count_dead(&Filter::all()).await.unwrap(), 10);
}

#[tokio::test]
async fn paths_lead_nowhere_else() {
    let shop = Shop::after_a_bad_day().await;
    let mut browser = Browser::at(site(&shop, Access::Trusted).await.0);
    for path in [
        "/assets/../../Cargo.toml",
        "/assets/..%2f..%2fCargo.toml",
        "/assets/%2e%2e/%2e%2e/etc/passwd",
        "/d/../../etc/passwd",
        "/d/%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        "/d/shop/events/..%2f..%2fdead",
        "//etc/passwd",
    ] {
        let answer = browser.get(path).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        assert!(!answer.body.contains("root:") && !answer.body.contains("[package]"), "{path}");
    }
    // Nor does what sends a browser back.
    let token = token_of(&browser.get("/d/shop").await.body);
    for referer in ["https://evil.example//evil.example/x", "https://evil.example/\\evil.example"] {
        browser.headers = vec![("referer", referer.to_owned())];
        let answer = browser.post("/settings", &format!("csrf={token}&theme=dark")).await;
        assert!(
            answer.location.is_empty() || answer.location.starts_with('/') && !answer.location.starts_with("//"),
            "{}",
            answer.location
        );
    }
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused() {
    let shop = Shop::after_a_bad_day().await;
    let (site, console) = site(&shop, Access::Trusted).await;
    let mut browser = Browser::at(site);
    let token = token_of(&browser.get("/d/shop/dead").await.body);
    let form = format!("csrf={token}&which=all&request=discard&error={}", "x".repeat(100_000));
    let answer = browser.post("/d/shop/act", &form).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    let other = Request::post("/d/shop/act").header("content-type", "application/json").body(Body::from("{}")).unwrap();
    assert_eq!(browser.send(other).await.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(console.count_dead(&Filter::all()).await.unwrap(), 10);
}

#[tokio::test]
async fn a_dashboard_for_looking_does_nothing() {
    let shop = Shop::after_a_bad_day().await;
    let console = Console::connect(&shop.url(), None).await.unwrap();
    let mut browser = Browser::at(router(Dashboard::new(Access::Trusted).database("shop", console.clone()).read_only()));
    assert!(!browser.get("/d/shop/dead").await.body.contains("value=\"redrive\""));
    for path in ["/d/shop/confirm", "/d/shop/act"] {
        assert_eq!(browser.submit("/d/shop/dead", path, "which=all&request=redrive").await.status, StatusCode::FORBIDDEN);
    }
    assert_eq!(console.count_dead(&Filter::all()).await.unwrap(), 10);
}

#[tokio::test]
async fn a_name_that_another_site_gave_to_this_machine_is_refused() {
    let shop = Shop::after_a_bad_day().await;
    let served = Served::start(&shop, &[]);
    for host in ["localhost", "LOCALHOST:8180", "127.0.0.1", "127.0.0.1:8180", "[::1]:8180"] {
        assert_eq!(served.status("/d/shop", &format!("Host: {host}")), "200", "{host}");
    }
    for host in ["evil.example", "evil.example:8180", "127.0.0.1.evil.example", "localhost.evil.example", "", "10.0.0.1"] {
        assert_eq!(served.status("/d/shop", &format!("Host: {host}")), "421", "{host}");
    }
}

#[tokio::test]
async fn metrics_are_for_those_who_know_the_token_and_health_is_for_everybody() {
    let shop = Shop::after_a_bad_day().await;
    let served = Served::start(&shop, &["--token", TOKEN]);
    let known = format!("Host: x\r\nAuthorization: Bearer {TOKEN}");
    assert_eq!((served.status("/live", "Host: x"), served.status("/ready", "Host: x")), ("200".into(), "200".into()));
    assert_eq!((served.status("/metrics", "Host: x"), served.status("/metrics", &known)), ("401".into(), "200".into()));
    let request = format!("GET /metrics HTTP/1.1\r\nConnection: close\r\n{known}\r\n\r\n");
    wait_until("the letters are told", async || {
        served.said(&request).contains("outbox_dead_letters{outbox=\"shop\",target=\"print_ticket\"} 10")
    })
    .await;
    let told = served.said(&request);
    assert!(told.contains("outbox_backlog{outbox=\"shop\",target=\"print_ticket\",state=\"key\"} 20"), "{told}");
    assert!(told.contains("outbox_blocked_keys{outbox=\"shop\"} 10"), "{told}");
}
