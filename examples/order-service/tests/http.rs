//! Real requests over loopback against the real program.

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const GOOD_CARD: &str = "4242424242424242";
const EMPTY_CARD: &str = "4000000000000002";

/// `order-service serve` on a port of its own, with a database of its own.
struct Server {
    process: Child,
    address: String,
    // Kept open, so that the program can go on printing.
    _stdout: BufReader<ChildStdout>,
    _folder: TempDir,
}

impl Server {
    fn start() -> Self {
        Self::start_with(&[])
    }

    fn start_with(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut process = Command::new(env!("CARGO_BIN_EXE_order-service"))
            .args(["serve", "--port", "0", "--database"])
            .arg(folder.path().join("orders.db"))
            .args(arguments)
            .env("RUST_LOG", "warn")
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut stdout = BufReader::new(process.stdout.take().expect("its output"));
        let address = loop {
            let mut line = String::new();
            assert_ne!(stdout.read_line(&mut line).expect("its output"), 0, "the program ended before it listened");
            if let Some(address) = line.trim().strip_prefix("listening on http://") {
                break address.to_owned();
            }
        };
        Self { process, address, _stdout: stdout, _folder: folder }
    }

    fn get(&self, path: &str) -> (u16, Value) {
        self.request("GET", path, "")
    }

    fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        self.request("POST", path, &body.to_string())
    }

    fn request(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        let mut stream = TcpStream::connect(&self.address).expect("a connection");
        let head = format!("{method} {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n", self.address);
        write!(stream, "{head}content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}", body.len()).expect("a request");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let code = answer.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status code");
        let (_, body) = answer.split_once("\r\n\r\n").expect("a body");
        (code, serde_json::from_str(body).expect("JSON"))
    }

    fn place(&self, customer: &str) -> i64 {
        let (code, order) = self.post("/orders", &order(customer));
        assert_eq!(code, 201, "{order}");
        order["order_id"].as_i64().expect("a number")
    }

    /// Asks until `holds`; handlers run after the answer to the command has been sent.
    fn eventually(&self, path: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let end = Instant::now() + Duration::from_secs(10);
        loop {
            let (code, answer) = self.get(path);
            assert_eq!(code, 200, "{answer}");
            if holds(&answer) {
                return answer;
            }
            assert!(Instant::now() < end, "it did not happen within 10 s: {answer}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn order(customer: &str) -> Value {
    json!({
        "customer": customer,
        "ship_to": { "name": "Toms Spezialitäten", "city": "Münster", "country": "Germany" },
        "freight_cents": 1161,
        "lines": [
            { "product_id": 14, "quantity": 9, "unit_price_cents": 1860 },
            { "product_id": 51, "quantity": 40, "unit_price_cents": 4240, "discount_percent": 5 },
        ],
    })
}

fn topics(timeline: &Value) -> Vec<&str> {
    timeline.as_array().expect("a list").iter().filter_map(|entry| entry["topic"].as_str()).collect()
}

#[test]
fn an_order_is_placed_paid_and_shipped_and_its_timeline_tells_the_story() {
    let server = Server::start();
    let id = server.place("TOMSP");
    let (code, placed) = server.get(&format!("/orders/{id}"));
    assert_eq!((code, &placed["status"], &placed["total_cents"]), (200, &json!("placed"), &json!(16_740 + 161_120 + 1_161)));
    assert_eq!(placed["ship_to"]["city"], "Münster");

    let (code, paid) = server.post(&format!("/orders/{id}/pay"), &json!({ "card": GOOD_CARD }));
    assert_eq!((code, &paid["status"]), (200, &json!("paid")));
    let order = server.eventually(&format!("/orders/{id}"), |order| order.get("ticket_no").is_some());
    assert_eq!(order["payment"], paid["payment"]);
    server.eventually(&format!("/orders/{id}/timeline"), |timeline| topics(timeline).contains(&"ticket.issued"));

    let (code, shipped) = server.post(&format!("/orders/{id}/ship"), &json!({}));
    assert_eq!((code, &shipped["status"]), (200, &json!("shipped")));
    let timeline = server.eventually(&format!("/orders/{id}/timeline"), |timeline| topics(timeline).len() == 4);
    assert_eq!(topics(&timeline), ["order.placed", "order.payok", "ticket.issued", "order.shipped"]);
    assert_eq!(timeline[3]["summary"], "shipped to Münster, Germany");
}

#[test]
fn what_does_not_reach_the_broker_can_be_seen() {
    let server = Server::start_with(&["--broker-failures", "1"]);
    let id = server.place("TOMSP");
    server.post(&format!("/orders/{id}/pay"), &json!({ "card": GOOD_CARD }));
    let path = format!("/orders/{id}/deliveries");
    let left = server.eventually(&path, |left| left.as_array().is_some_and(|left| left.len() == 1));
    assert_eq!((&left[0]["topic"], &left[0]["target"]), (&json!("order.payok"), &json!("transport:broker")), "{left}");
    assert_eq!(server.get("/orders/0/deliveries").0, 404);
    // What was placed needs no broker.
    let other = server.place("TOMSP");
    server.eventually(&format!("/orders/{other}/deliveries"), |left| left == &json!([]));
}

#[test]
fn who_registers_gets_a_code_and_three_wrong_passwords_lock_out() {
    let server = Server::start();
    let registration = json!({ "name": "toms", "mail": "toms@example.org", "password": "correct horse" });
    assert_eq!(server.post("/users", &registration).0, 201);
    let (code, refused) = server.post("/users", &registration);
    assert_eq!((code, refused), (409, json!({ "error": "the name `toms` is taken" })));
    let log_in = |password: &str| server.post("/users/toms/login", &json!({ "password": password }));
    assert_eq!(log_in("correct horse").0, 403, "not before it is activated");

    let letters = server.eventually("/users/toms/letters", |letters| letters.as_array().is_some_and(|letters| letters.len() == 1));
    let text = letters[0]["text"].as_str().expect("a text");
    let (_, sent) = text.rsplit_once(' ').expect("a code");
    let wrong = if sent == "000000" { "000001" } else { "000000" };
    assert_eq!(server.post("/users/toms/activate", &json!({ "code": wrong })).0, 403);
    assert_eq!(server.post("/users/toms/activate", &json!({ "code": sent })).0, 200);
    assert_eq!(log_in("correct horse").0, 200);

    let left = |answer: (u16, Value)| (answer.0, answer.1["error"].as_str().map(str::to_owned));
    assert_eq!(left(log_in("wrong horse")), (401, Some("the password is wrong; 2 tries are left".into())));
    assert_eq!(log_in("correct horse").0, 200, "who gets in begins anew");
    assert_eq!([log_in("a"), log_in("b"), log_in("c"), log_in("correct horse")].map(|answer| answer.0), [401, 401, 423, 423]);
    let letters = server.eventually("/users/toms/letters", |letters| letters.as_array().is_some_and(|letters| letters.len() == 2));
    assert!(letters[1]["text"].as_str().is_some_and(|text| text.contains("three times")), "{letters}");
    assert_eq!(server.post("/users/nobody/login", &json!({ "password": "a" })).0, 404);
}

#[test]
fn a_declined_card_leaves_no_trace_and_another_card_pays() {
    let server = Server::start();
    let id = server.place("TOMSP");
    let (code, refusal) = server.post(&format!("/orders/{id}/pay"), &json!({ "card": EMPTY_CARD }));
    assert_eq!((code, refusal), (402, json!({ "error": "the bank declined the card ending in 0002" })));
    assert_eq!(server.get(&format!("/orders/{id}")).1["status"], "placed");

    let (_, paid) = server.post(&format!("/orders/{id}/pay"), &json!({ "card": GOOD_CARD }));
    let timeline = server.eventually(&format!("/orders/{id}/timeline"), |timeline| topics(timeline).len() == 3);
    let payments: Vec<_> = timeline.as_array().expect("a list").iter().filter(|entry| entry["topic"] == "order.payok").collect();
    assert_eq!(payments.len(), 1);
    let reference = paid["payment"].as_str().expect("a reference");
    assert!(payments[0]["summary"].as_str().expect("a summary").contains(reference));
}

#[test]
fn a_command_that_does_not_fit_the_order_is_a_conflict_with_its_reason() {
    let server = Server::start();
    let id = server.place("TOMSP");
    let (code, refusal) = server.post(&format!("/orders/{id}/ship"), &json!({}));
    assert_eq!((code, refusal), (409, json!({ "error": format!("order {id} is placed; only an order that is paid can be shipped") })));

    let (code, _) = server.post(&format!("/orders/{id}/cancel"), &json!({ "reason": "found it cheaper" }));
    assert_eq!(code, 200);
    let (code, refusal) = server.post(&format!("/orders/{id}/pay"), &json!({ "card": GOOD_CARD }));
    assert_eq!((code, refusal), (409, json!({ "error": format!("order {id} is cancelled; only an order that is placed can be paid") })));
    let timeline = server.eventually(&format!("/orders/{id}/timeline"), |timeline| topics(timeline).len() == 2);
    assert_eq!(timeline[1]["summary"], "cancelled: found it cheaper");

    let mut again = order("TOMSP");
    again["order_id"] = json!(id);
    let (code, refusal) = server.post("/orders", &again);
    assert_eq!((code, refusal), (409, json!({ "error": format!("order {id} has been placed already") })));
}

#[test]
fn a_customer_with_too_many_unpaid_orders_is_refused_before_commit() {
    let server = Server::start();
    let ids: Vec<i64> = (0..20).map(|_| server.place("SAVEA")).collect();
    let (code, refusal) = server.post("/orders", &order("SAVEA"));
    assert_eq!((code, refusal), (409, json!({ "error": "customer SAVEA would have 21 unpaid orders; the limit is 20" })));
    server.place("TOMSP");
    server.post(&format!("/orders/{}/pay", ids[0]), &json!({ "card": GOOD_CARD }));
    server.place("SAVEA");
}

#[test]
fn bad_requests_are_answered_in_json() {
    let server = Server::start();
    assert_eq!(server.get("/orders/7"), (404, json!({ "error": "there is no order 7" })));
    assert_eq!(server.get("/orders/seven/timeline"), (404, json!({ "error": "there is no order seven" })));
    assert_eq!(server.get("/invoices").0, 404);
    assert_eq!(server.request("DELETE", "/orders/7", "").0, 405);
    assert_eq!(server.request("POST", "/orders", "{").0, 400);

    let mut empty = order("TOMSP");
    empty["lines"] = json!([]);
    assert_eq!(server.post("/orders", &empty), (422, json!({ "error": "an order needs at least one line" })));
    let mut misspelt = order("TOMSP");
    misspelt["discont"] = json!(1);
    let (code, refusal) = server.post("/orders", &misspelt);
    assert_eq!(code, 422);
    assert!(refusal["error"].as_str().expect("a reason").contains("unknown field `discont`"), "{refusal}");
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_the_service_in_good_order() {
    let mut server = Server::start();
    server.place("TOMSP");
    let interrupted = Command::new("kill").args(["-INT", &server.process.id().to_string()]).status().expect("kill");
    assert!(interrupted.success());
    assert!(server.process.wait().expect("an exit code").success());
}
