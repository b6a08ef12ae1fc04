//! Servers that a test starts for itself.

mod binaries;
mod identity;
mod kafka;
mod mariadb;
mod nats;
mod pgbouncer;
mod postgres;
mod process;
mod redis;
mod rabbitmq;
mod rocketmq;
mod rocketmq_client;
mod warden;

pub use identity::Identity;
pub use kafka::KafkaServer;
pub use mariadb::MariadbServer;
pub use nats::NatsServer;
pub use pgbouncer::Pgbouncer;
pub use postgres::PostgresServer;
pub use rabbitmq::RabbitMqServer;
pub use redis::RedisServer;
pub use rocketmq::RocketMqServer;
pub use rocketmq_client::RocketMqClient;
