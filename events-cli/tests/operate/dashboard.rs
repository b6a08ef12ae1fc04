//! The dashboard's pages, as a browser without script sees them.

use crate::shop::Shop;
use axum::Router;
use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE};
use axum::http::{Request, StatusCode};
use events_cli::dashboard::{Access, Dashboard, router};
use events_sqlx::{Console, Filter};
use tower::ServiceExt;

/// A browser that keeps its cookies.
pub(crate) struct Browser {
    site: Router,
    cookies: Vec<(String, String)>,
    pub(crate) headers: Vec<(&'static str, String)>,
}

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) location: String,
    pub(crate) headers: axum::http::HeaderMap,
    pub(crate) body: String,
}

impl Browser {
    pub(crate) fn at(site: Router) -> Self {
        Self { site, cookies: Vec::new(), headers: Vec::new() }
    }

    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        self.send(Request::get(path).body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn post(&mut self, path: &str, form: &str) -> Answer {
        let request = Request::post(path).header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(Body::from(form.to_owned()));
        self.send(request.unwrap()).await
    }

    /// As `post`, with the token of a page that was shown before.
    pub(crate) async fn submit(&mut self, page: &str, path: &str, form: &str) -> Answer {
        let token = token_of(&self.get(page).await.body);
        self.post(path, &format!("csrf={token}&{form}")).await
    }

    pub(crate) async fn send(&mut self, mut request: Request<Body>) -> Answer {
        let cookies = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ");
        if !cookies.is_empty() {
            request.headers_mut().insert(COOKIE, cookies.parse().unwrap());
        }
        for (name, value) in &self.headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        let response = self.site.clone().oneshot(request).await.unwrap();
        for cookie in response.headers().get_all(SET_COOKIE) {
            let (name, rest) = cookie.to_str().unwrap().split_once('=').unwrap();
            let value = rest.split(';').next().unwrap();
            assert!(rest.contains("HttpOnly") && rest.contains("SameSite=Strict"), "{rest}");
            self.cookies.retain(|(known, _)| known != name);
            self.cookies.push((name.to_owned(), value.to_owned()));
        }
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        Answer {
            status: parts.status,
            location: parts.headers.get(LOCATION).map(|location| location.to_str().unwrap().to_owned()).unwrap_or_default(),
            headers: parts.headers,
            body: String::from_utf8(body.to_vec()).unwrap(),
        }
    }
}

pub(crate) fn token_of(page: &str) -> String {
    let mark = "name=\"csrf\" value=\"";
    let begin = page.find(mark).unwrap_or_else(|| panic!("a form: {page}")) + mark.len();
    page[begin..].split('"').next().unwrap().to_owned()
}

pub(crate) async fn site(shop: &Shop, access: Access) -> (Router, Console) {
    let console = Console::connect(&shop.url(), None).await.unwrap();
    (router(Dashboard::new(access).database("shop", console.clone())), console)
}

#[tokio::test]
async fn every_page_is_readable_without_script_in_both_languages() {
    let shop = Shop::after_a_bad_day().await;
    let (site, console) = site(&shop, Access::Trusted).await;
    let id = console.dead(&Filter::all(), events_sqlx::Order::NewestFirst, None).await.unwrap().rows[0].id;
    let story = format!("/d/shop/events/{id}");
    let pages = ["/d/shop", "/d/shop/events", "/d/shop/dead", "/d/shop/keys", "/d/shop/processes", "/d/shop/audit", &story];
    let mut browser = Browser::at(site);
    assert_eq!(browser.get("/").await.location, "/d/shop", "the only database is shown at once");
    for (language, title) in [("en", "Blocked keys"), ("zh-CN,zh;q=0.9", "阻塞的键")] {
        browser.headers = vec![("accept-language", language.to_owned())];
        for page in pages {
            let answer = browser.get(page).await;
            assert_eq!(answer.status, StatusCode::OK, "{page}: {}", answer.body);
            assert!(answer.body.contains(title) && answer.body.contains("<h1"), "{page}");
            let inline = answer.body.contains(" onclick=") || answer.body.contains(" style=") || answer.body.contains("<script>");
            assert!(!inline, "{page} has something inline, which the policy forbids");
            let elsewhere = answer.body.matches("http").count() - answer.body.matches("http://www.w3.org/2000/svg").count();
            assert_eq!(elsewhere, 0, "{page} needs nothing from elsewhere");
        }
    }
    let overview = browser.get("/d/shop").await.body;
    assert!(overview.contains("print_ticket") && overview.contains("data-live"));
    // A choice goes before what the browser prefers.
    let page = browser.submit("/d/shop/keys", "/settings", "language=en").await;
    assert_eq!((page.status, &*page.location), (StatusCode::SEE_OTHER, "/"));
    assert!(browser.get("/d/shop").await.body.contains("lang=\"en\""));
    browser.submit("/d/shop/keys", "/settings", "theme=dark").await;
    assert!(browser.get("/d/shop").await.body.contains("data-theme=\"dark\""));
}

#[tokio::test]
async fn searches_find_what_is_meant_and_pages_go_on() {
    let shop = Shop::after_a_bad_day().await;
    let mut browser = Browser::at(site(&shop, Access::Trusted).await.0);
    let rows = async |browser: &mut Browser, path: &str| browser.get(path).await.body.matches("<th scope=\"row\">").count();
    assert_eq!(rows(&mut browser, "/d/shop/events").await, 20);
    assert_eq!(rows(&mut browser, "/d/shop/events?state=key&target=print_ticket").await, 20);
    assert_eq!(rows(&mut browser, "/d/shop/events?target=nobody").await, 0);
    assert_eq!(rows(&mut browser, "/d/shop/dead?error=out+of+paper&reason=terminal&since=1h").await, 10);
    assert_eq!(rows(&mut browser, "/d/shop/dead?until=1h").await, 0);
    let bad = browser.get("/d/shop/events?since=yesterday").await;
    assert!(bad.status == StatusCode::BAD_REQUEST && bad.body.contains("2026-11-22T08:00:00Z"), "{}", bad.body);
    assert_eq!(browser.get("/d/shop/find?id=nonsense").await.status, StatusCode::BAD_REQUEST);
    let unknown = "01a201a2-6c1e-740c-8e9b-bd1e10816000";
    let found = browser.get(&format!("/d/shop/find?id={unknown}")).await;
    assert_eq!(found.location, format!("/d/shop/events/{unknown}"));
    assert_eq!(browser.get(&found.location).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn letters_are_redriven_after_a_question_and_the_audit_says_by_whom() {
    let shop = Shop::after_a_bad_day().await;
    let access = Access::Basic { user: "li.lei".into(), password: "correct horse".into() };
    let (site, console) = site(&shop, access).await;
    let mut browser = Browser::at(site);
    browser.headers = vec![("authorization", "Basic bGkubGVpOmNvcnJlY3QgaG9yc2U=".to_owned())];
    let asked = browser.submit("/d/shop/dead", "/d/shop/confirm", "which=all&request=redrive&error=out+of+paper").await;
    assert!(asked.status == StatusCode::OK && asked.body.contains("10 dead letters go back"), "{}", asked.body);
    assert_eq!(console.count_dead(&Filter::all()).await.unwrap(), 10, "a question does nothing");
    let done = browser.submit("/d/shop/dead", "/d/shop/act", "which=all&request=redrive&error=out+of+paper").await;
    assert_eq!((done.status, &*done.location), (StatusCode::SEE_OTHER, "/d/shop/dead?did=redrive&many=10"));
    assert!(browser.get(&done.location).await.body.contains("10 dead letters were redriven"));
    let audit = console.audit(None, 10).await.unwrap();
    assert_eq!((&*audit[0].actor, &*audit[0].action), ("li.lei (dashboard)", "redrive"));
    assert!(browser.get("/d/shop/audit").await.body.contains("li.lei (dashboard)"));
}

#[tokio::test]
async fn a_key_is_let_pass_and_single_letters_are_discarded() {
    let shop = Shop::after_a_bad_day().await;
    let (site, console) = site(&shop, Access::Trusted).await;
    let mut browser = Browser::at(site);
    let key = "%3Cscript%3Ealert(1)%3C%2Fscript%3E3";
    let form = format!("which=key&request=pass&key={key}&target=print_ticket");
    assert!(browser.submit("/d/shop/keys", "/d/shop/confirm", &form).await.body.contains("1 dead letters passes"));
    assert_eq!(browser.submit("/d/shop/keys", "/d/shop/act", &form).await.location, "/d/shop/keys?did=pass&many=1");
    assert_eq!((console.blocked(100).await.unwrap().len(), console.count_dead(&Filter::all()).await.unwrap()), (9, 10));
    let ids: Vec<_> = console.dead(&Filter::all().limit(2), events_sqlx::Order::OldestFirst, None).await.unwrap().rows;
    let form = format!("which=these&request=discard&id={}&id={}", ids[0].id, ids[1].id);
    assert_eq!(browser.submit("/d/shop/dead", "/d/shop/act", &form).await.location, "/d/shop/dead?did=discard&many=2");
    assert_eq!(console.count_dead(&Filter::all()).await.unwrap(), 8);
    let none = browser.submit("/d/shop/dead", "/d/shop/confirm", "which=these&request=redrive").await;
    assert!(none.status == StatusCode::BAD_REQUEST && none.body.contains("Nothing was selected"), "{}", none.body);
    let all = browser.submit("/d/shop/dead", "/d/shop/act", "which=all&request=pass").await;
    assert_eq!(all.status, StatusCode::BAD_REQUEST, "letting pass is a decision about one key");
}

#[tokio::test]
async fn nested_into_a_service_all_links_keep_to_their_place() {
    let shop = Shop::after_a_bad_day().await;
    let console = Console::connect(&shop.url(), None).await.unwrap();
    let dashboard = Dashboard::new(Access::Trusted).database("a b", console.clone()).database("c", console).at("/ops/outbox/");
    let mut browser = Browser::at(Router::new().nest("/ops/outbox", router(dashboard)));
    let databases = browser.get("/ops/outbox").await;
    assert!(databases.body.contains("href=\"/ops/outbox/d/a%20b\""), "{}", databases.body);
    let page = browser.get("/ops/outbox/d/a%20b/dead").await;
    let links = page.body.split("href=\"").skip(1).map(|rest| rest.split('"').next().unwrap());
    let strays: Vec<&str> =
        links.filter(|link| link.starts_with("/") && *link != "/ops/outbox" && !link.starts_with("/ops/outbox/")).collect();
    assert_eq!((page.status, strays), (StatusCode::OK, vec![]));
    assert_eq!(browser.get("/ops/outbox/assets/outbox.css").await.status, StatusCode::OK);
    let done = browser.submit("/ops/outbox/d/c/dead", "/ops/outbox/d/c/act", "which=all&request=redrive").await;
    assert_eq!(done.location, "/ops/outbox/d/c/dead?did=redrive&many=10");
}
