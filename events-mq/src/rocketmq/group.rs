//! What a group of consumers needs at the brokers, and who is in it.

use super::link::Link;
use super::request::{Request, code};
use super::{NAME, names, route};
use crate::{Topology, failure::Failure};
use rocketmq_protocol::protocol::RemotingDeserializable;
use rocketmq_protocol::protocol::body::get_consumer_list_by_group_response_body::GetConsumerListByGroupResponseBody;

/// Asks for the settings of a group, and makes one.
const GROUP: i32 = 352;
const CREATE_GROUP: i32 = 200;
const NO_GROUP: i32 = 26;

/// Makes sure that the group is there, and that its dead letters are stored.
pub(super) async fn prepare(link: &Link, group: &str) -> Result<(), Failure> {
    for broker in route::masters(link).await? {
        let answer = link.ask(&broker, Request::new(GROUP).with("group", group)).await?;
        match answer.code() {
            NO_GROUP if link.settings().topology == Topology::Check => {
                return Err(Failure::hopeless(format!("{NAME} at {broker} has no group `{group}`; make it, or choose `Topology::Create`")));
            }
            NO_GROUP => create(link, &broker, group).await?,
            _ if answer.is_success() => {}
            _ => return Err(link.refused(&broker, &format!("look at group `{group}`"), &answer)),
        }
    }
    route::prepare(link, &names::dead_letters_of(group), 1).await.map(drop)
}

async fn create(link: &Link, broker: &str, group: &str) -> Result<(), Failure> {
    let body = format!(
        r#"{{"groupName":"{group}","consumeEnable":true,"consumeFromMinEnable":true,"consumeBroadcastEnable":true,"consumeMessageOrderly":false,"retryQueueNums":1,"retryMaxTimes":16,"brokerId":0,"whichBrokerWhenConsumeSlowly":1,"notifyConsumerIdsChangedEnable":true,"groupSysFlag":0,"consumeTimeoutMinute":15}}"#
    );
    let answer = link.ask(broker, Request::new(CREATE_GROUP).body(body)).await?;
    if answer.is_success() { Ok(()) } else { Err(link.refused(broker, &format!("make group `{group}`"), &answer)) }
}

/// Tells a broker that `member` is there. It forgets those who do not repeat it, and those whose connection is lost.
pub(super) async fn join(link: &Link, broker: &str, group: &str, member: &str, topic: &str, filter: &str) -> Result<(), Failure> {
    // A filter may hold any text.
    let filter = escaped(filter);
    let body = format!(
        r#"{{"clientID":"{member}","producerDataSet":[],"consumerDataSet":[{{"groupName":"{group}","consumeType":"CONSUME_ACTIVELY","messageModel":"CLUSTERING","consumeFromWhere":"CONSUME_FROM_FIRST_OFFSET","subscriptionDataSet":[{{"topic":"{topic}","subString":"{filter}","tagsSet":[],"codeSet":[],"subVersion":1,"expressionType":"TAG","classFilterMode":false}}],"unitMode":false}}]}}"#
    );
    let answer = link.ask(broker, Request::new(code::HEARTBEAT).body(body)).await?;
    if answer.is_success() { Ok(()) } else { Err(link.refused(broker, &format!("join group `{group}`"), &answer)) }
}

/// Tells a broker that `member` is gone.
pub(super) async fn leave(link: &Link, broker: &str, group: &str, member: &str) -> Result<(), Failure> {
    let request = Request::new(code::UNREGISTER).with("clientID", member).with("consumerGroup", group);
    link.ask(broker, request).await.map(drop)
}

/// Who is in it, in the order that all members agree on. Nobody, if the broker knows of none.
pub(super) async fn members(link: &Link, broker: &str, group: &str) -> Result<Vec<String>, Failure> {
    let answer = link.ask(broker, Request::new(code::CONSUMERS_OF_GROUP).with("consumerGroup", group)).await?;
    if !answer.is_success() {
        return Ok(Vec::new());
    }
    let list = GetConsumerListByGroupResponseBody::decode(&answer.body())
        .map_err(|error| Failure::passing(format!("the members of group `{group}` at {broker} cannot be read: {error}")))?;
    let mut members: Vec<String> = list.consumer_id_list.iter().map(ToString::to_string).collect();
    members.sort_unstable();
    Ok(members)
}

/// The part of `things` that is the `member`'s: every member computes all parts, by the rule that the clients of RocketMQ have by default.
pub(super) fn part<'a, T>(things: &'a [T], members: &[String], member: &str) -> &'a [T] {
    let Some(place) = members.iter().position(|other| other == member) else { return &[] };
    let (each, more) = (things.len() / members.len(), things.len() % members.len());
    let start = place * each + place.min(more);
    &things[start..start + each + usize::from(place < more)]
}

fn escaped(text: &str) -> String {
    text.chars().flat_map(|sign| matches!(sign, '"' | '\\').then_some('\\').into_iter().chain([sign])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_somebodys_and_nobody_has_much_more_than_others() {
        for (things, members) in [(4, 1), (4, 2), (4, 3), (5, 3), (1, 3), (0, 2)] {
            let things: Vec<usize> = (0..things).collect();
            let members: Vec<String> = (0..members).map(|n| n.to_string()).collect();
            let parts: Vec<&[usize]> = members.iter().map(|member| part(&things, &members, member)).collect();
            assert_eq!(parts.concat(), things);
            let sizes = parts.iter().map(|part| part.len());
            assert!(sizes.clone().max().unwrap() - sizes.min().unwrap() <= 1);
        }
        assert_eq!(part(&[1, 2], &["a".to_owned()], "stranger"), &[0; 0]);
    }

    #[test]
    fn a_filter_cannot_end_its_text() {
        assert_eq!(escaped(r#"a"b\c"#), r#"a\"b\\c"#);
    }
}
