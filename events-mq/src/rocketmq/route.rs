//! Topics: which queues they have and where, and how they are made.

use super::NAME;
use super::link::Link;
use super::request::{Request, answer, code};
use crate::{Topology, failure::Failure};
use rocketmq_protocol::protocol::body::broker_body::cluster_info::ClusterInfo;
use rocketmq_protocol::protocol::route::topic_route_data::TopicRouteData;
use std::{sync::Arc, time::Duration};

/// The broker of a name that takes messages.
const MASTER: u64 = 0;
/// Reading and writing, as the servers write permissions.
const READ: u32 = 4;
const WRITE: u32 = 2;
/// How soon it is looked again whether the name servers know a topic that was made.
const AGAIN: Duration = Duration::from_millis(50);
/// How long a topic that was made may take to be known: brokers tell the name servers all they have every 30 s
/// (`registerNameServerPeriod`), whatever became of what they said in between.
const REGISTRATION: Duration = Duration::from_secs(35);

/// A queue of a topic.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Queue {
    /// The broker's name; it stays when its address changes.
    pub(super) broker: Arc<str>,
    pub(super) id: u32,
    /// Where the broker is.
    pub(super) address: Arc<str>,
}

/// The queues that messages can be sent to and read from, in the order that all producers and consumers agree on; `None` if there is no
/// such topic.
pub(super) struct Route {
    pub(super) write: Vec<Queue>,
    pub(super) read: Vec<Queue>,
}

/// What the name servers know of a topic.
pub(super) async fn look(link: &Link, topic: &str) -> Result<Option<Route>, Failure> {
    let request = Request::new(code::ROUTE).with("topic", topic).with("acceptStandardJsonOnly", true);
    let answer = link.ask_name_server(request).await?;
    match answer.code() {
        answer::SUCCESS => {}
        answer::TOPIC_NOT_EXIST => return Ok(None),
        _ => return Err(link.refused(link.address(), &format!("look up topic `{topic}`"), &answer)),
    }
    let route = TopicRouteData::decode(&answer.body()).map_err(|error| garbled(link, &error))?;
    let (mut write, mut read) = (Vec::new(), Vec::new());
    for data in &route.queue_datas {
        let broker = route.broker_datas.iter().find(|broker| broker.broker_name() == &data.broker_name);
        let Some(address) = broker.and_then(|broker| broker.broker_addrs().get(&MASTER)) else { continue };
        let (broker, address): (Arc<str>, Arc<str>) = (data.broker_name.as_str().into(), address.as_str().into());
        let queue = |id| Queue { broker: Arc::clone(&broker), id, address: Arc::clone(&address) };
        if data.perm & WRITE != 0 {
            write.extend((0..data.write_queue_nums).map(queue));
        }
        if data.perm & READ != 0 {
            read.extend((0..data.read_queue_nums).map(queue));
        }
    }
    write.sort_unstable();
    read.sort_unstable();
    Ok(Some(Route { write, read }))
}

/// The same, for a topic that must be there: made if that is ours to do.
pub(super) async fn prepare(link: &Link, topic: &str, queues: u16) -> Result<Route, Failure> {
    match look(link, topic).await? {
        Some(route) => Ok(route),
        None => match link.settings().topology {
            // Name servers forget the topics of a broker that is gone.
            Topology::Check if masters(link).await?.is_empty() => Err(nobody(link)),
            Topology::Check => Err(missing(link, topic)),
            Topology::Create => create(link, topic, queues).await,
        },
    }
}

/// There is no such topic, and we may not make it.
pub(super) fn missing(link: &Link, topic: &str) -> Failure {
    Failure::hopeless(format!("{NAME} at {} has no topic `{topic}`; make it, or choose `Topology::Create`", link.address()))
}

/// There are name servers and no brokers.
pub(super) fn nobody(link: &Link) -> Failure {
    link.away(link.address(), "no broker has registered with its name servers")
}

pub(super) async fn create(link: &Link, topic: &str, queues: u16) -> Result<Route, Failure> {
    let masters = masters(link).await?;
    if masters.is_empty() {
        return Err(nobody(link));
    }
    for master in &masters {
        let request = Request::new(code::CREATE_TOPIC)
            .with("topic", topic)
            .with("defaultTopic", "TBW102")
            .with("readQueueNums", queues)
            .with("writeQueueNums", queues)
            .with("perm", READ | WRITE)
            .with("topicFilterType", "SINGLE_TAG")
            .with("topicSysFlag", 0)
            .with("order", false);
        let answer = link.ask(master, request).await?;
        if !answer.is_success() {
            let what = format!("make topic `{topic}` (somebody else can make it, for `Topology::Check`)");
            return Err(link.refused(master, &what, &answer));
        }
    }
    // Brokers tell the name servers, and not always before they answer. If what one said is lost, asking again makes it say nothing: it waits
    // for the next time that it says all it has.
    let known = async {
        loop {
            match look(link, topic).await {
                Ok(Some(route)) => return Ok(route),
                Ok(None) => tokio::time::sleep(AGAIN).await,
                Err(failure) => return Err(failure),
            }
        }
    };
    match tokio::time::timeout(link.settings().ack_timeout.max(REGISTRATION), known).await {
        Ok(route) => route,
        Err(_) => Err(link.away(link.address(), &format!("it does not know yet of topic `{topic}`, which was made"))),
    }
}

/// Where the brokers are that take messages.
pub(super) async fn masters(link: &Link) -> Result<Vec<String>, Failure> {
    let answer = link.ask_name_server(Request::new(code::CLUSTER)).await?;
    if !answer.is_success() {
        return Err(link.refused(link.address(), "list its brokers", &answer));
    }
    let cluster = ClusterInfo::decode(&answer.body()).map_err(|error| garbled(link, &error))?;
    let brokers = cluster.broker_addr_table.unwrap_or_default();
    let mut masters: Vec<String> = brokers.values().filter_map(|broker| Some(broker.broker_addrs().get(&MASTER)?.to_string())).collect();
    masters.sort_unstable();
    Ok(masters)
}

fn garbled(link: &Link, error: &dyn std::error::Error) -> Failure {
    Failure::passing(format!("the answer of {NAME} at {} cannot be read: {error}", link.address()))
}
