//! A future with a unit of work inside is `Send`, whatever its closure captures.
//!
//! Compiling is most of these probes: with a lifetime parameter on `UnitOfWork`, each would fail with "implementation of
//! `AsyncFnOnce` is not general enough" (rust-lang/rust#126350). They run as well, on other tasks, and every event must arrive.

use events_core::{Error, State, after_commit, domain_event, publish, test_kit::Seen};
use events_sqlx::sqlite::{self, Outbox, UnitOfWork};
use serde::{Deserialize, Serialize};
use sqlx::{Executor, IntoArguments};
use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};
use tokio::{sync::mpsc, task::JoinHandle};

#[domain_event(topic = "probe.done", local)]
#[derive(Serialize, Deserialize)]
struct Done {
    probe: String,
}

#[after_commit]
async fn saw(event: Done, State(seen): State<Seen<String>>) {
    seen.push(event.probe);
}

type Probe = JoinHandle<anyhow::Result<()>>;

fn spawn(probe: impl Future<Output = anyhow::Result<()>> + Send + 'static) -> Probe {
    tokio::spawn(probe)
}

async fn done(uow: &mut UnitOfWork, probe: &str) -> anyhow::Result<()> {
    sqlx::query("SELECT 1").execute(uow.conn()).await?;
    publish(Done { probe: probe.to_owned() })?;
    Ok(())
}

fn reference_to_a_local(outbox: Outbox) -> Probe {
    spawn(async move {
        let owned = String::from("reference to a local");
        let borrowed = &owned;
        outbox.run(async |uow| done(uow, borrowed).await).await
    })
}

fn channel_by_reference(outbox: Outbox) -> Probe {
    spawn(async move {
        let (sender, mut receiver) = mpsc::channel::<()>(1);
        let run = outbox.run(async |uow| -> anyhow::Result<()> {
            done(uow, "channel by reference").await?;
            Ok(sender.send(()).await?)
        });
        run.await?;
        receiver.recv().await;
        Ok(())
    })
}

fn mutable_capture_of_a_parameter(outbox: Outbox) -> Probe {
    async fn pay(outbox: Outbox, mut input: String) -> anyhow::Result<()> {
        let run = outbox.run(async |uow| -> anyhow::Result<()> {
            input.push_str(" of a parameter");
            done(uow, &input).await
        });
        run.await?;
        anyhow::ensure!(input.ends_with("parameter"));
        Ok(())
    }
    spawn(pay(outbox, "mutable capture".to_owned()))
}

fn reference_to_a_static(outbox: Outbox) -> Probe {
    static PROBE: OnceLock<String> = OnceLock::new();
    spawn(async move {
        let probe: &'static OnceLock<String> = &PROBE;
        outbox.run(async |uow| done(uow, probe.get_or_init(|| "reference to a static".to_owned())).await).await
    })
}

fn reference_to_self(outbox: Outbox) -> Probe {
    struct Service {
        outbox: Outbox,
        name: String,
    }
    impl Service {
        async fn pay(&self, order: &str) -> anyhow::Result<()> {
            self.outbox.run(async |uow| done(uow, &format!("{} to {order}", self.name)).await).await
        }
    }
    spawn(async move { Service { outbox, name: "reference".to_owned() }.pay("self").await })
}

fn moving_closure(outbox: Outbox) -> Probe {
    spawn(async move {
        let owned = String::from("moving closure");
        outbox.run(async move |uow| done(uow, &owned).await).await
    })
}

fn slice_and_iterator(outbox: Outbox) -> Probe {
    spawn(async move {
        let owned = vec!["slice", "iterator"];
        let slice: &[&str] = &owned;
        let run = outbox.run(async |uow| -> anyhow::Result<()> {
            // The iterator itself is held across the await.
            for probe in slice.iter().copied() {
                done(uow, probe).await?;
            }
            Ok(())
        });
        run.await
    })
}

fn reference_to_a_trait_object(outbox: Outbox) -> Probe {
    trait Orders: Send + Sync {
        fn name(&self) -> &str;
    }
    struct InMemory;
    impl Orders for InMemory {
        fn name(&self) -> &str {
            "reference to a trait object"
        }
    }
    spawn(async move {
        let shared: Arc<dyn Orders> = Arc::new(InMemory);
        let orders: &dyn Orders = &*shared;
        outbox.run(async |uow| done(uow, orders.name()).await).await
    })
}

fn savepoints_that_borrow(outbox: Outbox) -> Probe {
    spawn(async move {
        let (owned, mut tries) = (String::from("savepoints that borrow"), 0);
        let run = outbox.run(async |uow| -> anyhow::Result<()> {
            let outer = &owned;
            let undone = uow.savepoint(async |uow| -> anyhow::Result<()> {
                tries += 1;
                done(uow, "a savepoint that is undone").await?;
                anyhow::bail!("{outer}")
            });
            anyhow::ensure!(undone.await.is_err());
            uow.savepoint(async |uow| -> anyhow::Result<()> {
                tries += 1;
                uow.savepoint(async |uow| done(uow, outer).await).await
            })
            .await
        });
        run.await?;
        anyhow::ensure!(tries == 2);
        Ok(())
    })
}

fn struct_with_a_lifetime(outbox: Outbox) -> Probe {
    struct Order<'a> {
        name: &'a str,
    }
    spawn(async move {
        let owned = String::from("struct with a lifetime");
        let order = Order { name: &owned };
        outbox.run(async |uow| done(uow, order.name).await).await
    })
}

fn behind_async_trait(outbox: Outbox) -> Probe {
    #[async_trait::async_trait]
    trait Orders: Send + Sync {
        async fn pay(&self, uow: &mut UnitOfWork, order: &str) -> anyhow::Result<()>;
    }
    struct InDatabase;
    #[async_trait::async_trait]
    impl Orders for InDatabase {
        async fn pay(&self, uow: &mut UnitOfWork, order: &str) -> anyhow::Result<()> {
            done(uow, order).await
        }
    }
    #[async_trait::async_trait]
    trait Payments: Send + Sync {
        async fn pay(&self, order: &str) -> anyhow::Result<()>;
    }
    struct Service {
        outbox: Outbox,
        orders: Arc<dyn Orders>,
    }
    #[async_trait::async_trait]
    impl Payments for Service {
        async fn pay(&self, order: &str) -> anyhow::Result<()> {
            self.outbox.run(async |uow| self.orders.pay(uow, order).await).await
        }
    }
    let payments: Box<dyn Payments> = Box::new(Service { outbox, orders: Arc::new(InDatabase) });
    spawn(async move { payments.pay("behind async_trait").await })
}

fn behind_a_trait_that_promises_send(outbox: Outbox) -> Probe {
    trait Payments: Send + Sync + 'static {
        fn pay(&self, order: &str) -> impl Future<Output = anyhow::Result<()>> + Send;
    }
    impl Payments for Outbox {
        async fn pay(&self, order: &str) -> anyhow::Result<()> {
            self.run(async |uow| done(uow, order).await).await
        }
    }
    fn pay(payments: impl Payments) -> Probe {
        spawn(async move { payments.pay("behind a trait that promises Send").await })
    }
    pay(outbox)
}

fn function_for_a_closure(outbox: Outbox) -> Probe {
    async fn work(uow: &mut UnitOfWork) -> anyhow::Result<()> {
        done(uow, "function for a closure").await
    }
    spawn(async move { outbox.run(work).await })
}

fn within_a_timeout(outbox: Outbox) -> Probe {
    spawn(async move {
        let run = outbox.run(async |uow| -> anyhow::Result<()> { done(uow, "within a timeout").await });
        tokio::time::timeout(Duration::from_secs(60), run).await?
    })
}

fn generic_over_the_database(outbox: Outbox) -> Probe {
    async fn generic<DB: events_sqlx::Backend>(outbox: &events_sqlx::Outbox<DB>, probe: &str) -> Result<(), sqlx::Error>
    where
        for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
        DB::Arguments: IntoArguments<DB>,
    {
        let run = outbox.run(async |uow| -> Result<(), Error> {
            let _ = sqlx::query("SELECT 1").execute(uow.conn()).await;
            uow.publish(Done { probe: probe.to_owned() }).map(drop)
        });
        run.await.map_err(|error| sqlx::Error::Configuration(error.into()))
    }
    spawn(async move { Ok(generic(&outbox, "generic over the database").await?) })
}

const PROBES: [fn(Outbox) -> Probe; 15] = [
    reference_to_a_local,
    channel_by_reference,
    mutable_capture_of_a_parameter,
    reference_to_a_static,
    reference_to_self,
    moving_closure,
    slice_and_iterator,
    reference_to_a_trait_object,
    savepoints_that_borrow,
    struct_with_a_lifetime,
    behind_async_trait,
    behind_a_trait_that_promises_send,
    function_for_a_closure,
    within_a_timeout,
    generic_over_the_database,
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_probe_commits_on_a_task_of_its_own() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let pool = sqlite::connect(folder.path().join("probes.db")).await?;
    let seen = Seen::<String>::new();
    let outbox = Outbox::builder(pool).state(seen.clone()).start().await?;
    let running: Vec<Probe> = PROBES.iter().map(|probe| probe(outbox.clone())).collect();
    for probe in running {
        probe.await??;
    }
    // The probe of slices publishes two events.
    let events = PROBES.len() + 1;
    seen.wait_for(events, Duration::from_secs(10)).await;
    outbox.shutdown().await;
    assert_eq!(seen.len(), events, "an event of the savepoint that was undone, or one that came twice: {:?}", seen.all());
    Ok(())
}
