//! Events go through a broker into a database while everybody who handles them and the broker itself are killed: each effect happens once.

/// One case per broker and database.
macro_rules! brokers {
    ($($module:ident: $broker:ident,)+) => {
        $(mod $module {
            use events_tests::{$broker, OnMySql, OnPostgres, parcels};

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn into_postgres() {
                parcels::each_effect_happens_exactly_once::<$broker, OnPostgres>(env!("CARGO_BIN_EXE_packer")).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn into_mysql() {
                parcels::each_effect_happens_exactly_once::<$broker, OnMySql>(env!("CARGO_BIN_EXE_packer")).await;
            }
        })+
    };
}

brokers! {
    nats: OnNats,
    redis: OnRedis,
    rabbitmq: OnRabbitMq,
    kafka: OnKafka,
    rocketmq: OnRocketMq,
}
