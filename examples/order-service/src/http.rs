//! The HTTP API. It translates requests into the shop's commands, and knows nothing of events.

use crate::{
    deliveries::{self, Delivery},
    letters::{self, Letter},
    order::NewOrder,
    orders::{self, OrderError},
    problem::Problem,
    shop::Shop,
    timeline::{self, Entry},
    users,
    view::{self, OrderView},
};
use anyhow::Context;
use axum::{
    Json, Router,
    extract::{FromRequestParts, Path, State, rejection::JsonRejection},
    http::{HeaderName, StatusCode, header::LOCATION, request::Parts},
    routing::{get, post},
};
use events_sqlx::sqlite::Outbox;
use serde::Deserialize;
use serde_json::{Value, json};
use sqlx::SqlitePool;
use std::net::SocketAddr;
use tokio::{net::TcpListener, signal};

/// Serves until Ctrl-C or SIGTERM; requests under way are finished.
pub(crate) async fn serve(address: SocketAddr, shop: &Shop) -> anyhow::Result<()> {
    let listener = TcpListener::bind(address).await.with_context(|| format!("listening on {address}"))?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, router(shop.pool.clone(), shop.outbox.clone())).with_graceful_shutdown(stopped()).await.context("serving")
}

fn router(pool: SqlitePool, outbox: Outbox) -> Router {
    Router::new()
        .route("/orders", post(place))
        .route("/orders/{id}", get(show))
        .route("/orders/{id}/pay", post(pay))
        .route("/orders/{id}/ship", post(ship))
        .route("/orders/{id}/cancel", post(cancel))
        .route("/orders/{id}/timeline", get(tell))
        .route("/orders/{id}/deliveries", get(move |pool, order_id| follow(pool, order_id, outbox.clone())))
        .route("/users", post(register))
        .route("/users/{name}/activate", post(activate))
        .route("/users/{name}/login", post(log_in))
        .route("/users/{name}/letters", get(letters))
        .fallback(async || Problem::new(StatusCode::NOT_FOUND, "there is nothing here; orders are at /orders"))
        .method_not_allowed_fallback(async || Problem::new(StatusCode::METHOD_NOT_ALLOWED, "this method is not allowed here"))
        .with_state(pool)
}

type Answer<T> = Result<T, Problem>;
type Body<T> = Result<Json<T>, JsonRejection>;

async fn place(State(pool): State<SqlitePool>, body: Body<NewOrder>) -> Answer<(StatusCode, [(HeaderName, String); 1], Json<OrderView>)> {
    let Json(order) = body?;
    let order_id = orders::place(&order).await?;
    let view = find(&pool, order_id).await?;
    Ok((StatusCode::CREATED, [(LOCATION, format!("/orders/{order_id}"))], Json(view)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Pay {
    card: String,
}

async fn pay(OrderId(order_id): OrderId, body: Body<Pay>) -> Answer<Json<Value>> {
    let Json(Pay { card }) = body?;
    let payment = orders::pay(order_id, &card).await?;
    Ok(Json(json!({ "order_id": order_id, "status": "paid", "payment": payment.reference, "amount_cents": payment.amount_cents })))
}

async fn ship(OrderId(order_id): OrderId) -> Answer<Json<Value>> {
    orders::ship(order_id).await?;
    Ok(Json(json!({ "order_id": order_id, "status": "shipped" })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cancel {
    reason: String,
}

async fn cancel(OrderId(order_id): OrderId, body: Body<Cancel>) -> Answer<Json<Value>> {
    let Json(Cancel { reason }) = body?;
    orders::cancel(order_id, &reason).await?;
    Ok(Json(json!({ "order_id": order_id, "status": "cancelled" })))
}

async fn show(State(pool): State<SqlitePool>, OrderId(order_id): OrderId) -> Answer<Json<OrderView>> {
    Ok(Json(find(&pool, order_id).await?))
}

async fn tell(State(pool): State<SqlitePool>, OrderId(order_id): OrderId) -> Answer<Json<Vec<Entry>>> {
    orders::status(&pool, order_id).await?.ok_or(OrderError::NotFound(order_id))?;
    Ok(Json(timeline::of_order(&pool, order_id).await?))
}

async fn follow(State(pool): State<SqlitePool>, OrderId(order_id): OrderId, outbox: Outbox) -> Answer<Json<Vec<Delivery>>> {
    orders::status(&pool, order_id).await?.ok_or(OrderError::NotFound(order_id))?;
    Ok(Json(deliveries::of_order(&outbox, order_id).await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Registration {
    name: String,
    mail: String,
    password: String,
}

async fn register(body: Body<Registration>) -> Answer<(StatusCode, Json<Value>)> {
    let Json(Registration { name, mail, password }) = body?;
    users::register(&name, &mail, password).await?;
    Ok((StatusCode::CREATED, Json(json!({ "name": name, "status": "registered" }))))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Activation {
    code: String,
}

async fn activate(State(pool): State<SqlitePool>, Path(name): Path<String>, body: Body<Activation>) -> Answer<Json<Value>> {
    let Json(Activation { code }) = body?;
    users::activate(&pool, &name, &code).await?;
    Ok(Json(json!({ "name": name, "status": "active" })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Login {
    password: String,
}

async fn log_in(State(pool): State<SqlitePool>, Path(name): Path<String>, body: Body<Login>) -> Answer<Json<Value>> {
    let Json(Login { password }) = body?;
    users::log_in(&pool, &name, password).await?;
    Ok(Json(json!({ "name": name, "status": "logged in" })))
}

/// A catcher of mail, as one has on a developer's machine; a real shop would send it.
async fn letters(State(pool): State<SqlitePool>, Path(name): Path<String>) -> Answer<Json<Vec<Letter>>> {
    Ok(Json(letters::to_user(&pool, &name).await?))
}

async fn find(pool: &SqlitePool, order_id: i64) -> Answer<OrderView> {
    Ok(view::order(pool, order_id).await?.ok_or(OrderError::NotFound(order_id))?)
}

/// The number in `/orders/{id}`. What is no number is no order either.
struct OrderId(i64);

impl<S: Send + Sync> FromRequestParts<S> for OrderId {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Answer<Self> {
        let id = Path::<String>::from_request_parts(parts, state).await.map(|Path(id)| id).unwrap_or_default();
        id.parse().map(Self).map_err(|_| Problem::new(StatusCode::NOT_FOUND, format!("there is no order {id}")))
    }
}

/// Ends when the process is asked to.
async fn stopped() {
    #[cfg(unix)]
    {
        let terminated = async {
            match signal::unix::signal(signal::unix::SignalKind::terminate()) {
                Ok(mut signal) => drop(signal.recv().await),
                Err(_) => std::future::pending().await,
            }
        };
        tokio::select! { _ = signal::ctrl_c() => {}, () = terminated => {} }
    }
    #[cfg(not(unix))]
    let _ = signal::ctrl_c().await;
}
