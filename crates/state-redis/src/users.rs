//! The clients of one user.
//!
//! The list is stored next to their records, in the same partitions, so that the script that writes or removes a record
//! updates it. All partitions are queried concurrently.

use std::collections::BTreeMap;

use futures_util::future::try_join_all;
use roomwire_core::{Namespace, Page, PageRequest, StateError, UserId, WebSocketClient};

use crate::{
    clients::{Record, record},
    cursor::{Found, Pager, Step},
    keys::Partition,
    router::Repeat,
    script,
    state::{Shared, args},
};

/// The user and the namespace of the clients.
#[derive(Clone, Copy, Debug)]
struct Whose<'a> {
    namespace: &'a Namespace,
    user: &'a UserId,
}

impl Shared {
    /// Takes two round trips, each to all partitions concurrently, if the user's clients fit on one page: first their
    /// number in each partition, then the clients.
    pub(crate) async fn user_client_page(
        &self,
        namespace: &Namespace,
        user: &UserId,
        wanted: &PageRequest,
    ) -> Result<Page<WebSocketClient>, StateError> {
        let whose = Whose { namespace, user };
        let partitions: Vec<_> = self.router.keys.partitions().collect();
        let mut pager = Pager::new(wanted, partitions.len());
        let sizes = self.user_clients_by_partition(&partitions, whose).await?;
        let mut ahead = self.read_ahead(&partitions, &sizes, whose, pager.step()).await?;
        while let Some(step) = pager.step() {
            let found = match ahead.remove(&step.list) {
                Some(found) => found,
                None if sizes[step.list] == 0 => Found { next: "0".to_owned(), items: Vec::new() },
                None => self.user_clients_in(partitions[step.list], whose, step).await?,
            };
            pager.take(found);
        }
        Ok(pager.page())
    }

    pub(crate) async fn user_client_count(&self, namespace: &Namespace, user: &UserId) -> Result<u64, StateError> {
        self.count_all(|partition| self.router.keys.user_clients(partition, namespace, user)).await
    }

    async fn user_clients_by_partition(
        &self,
        partitions: &[Partition],
        Whose { namespace, user }: Whose<'_>,
    ) -> Result<Vec<u64>, StateError> {
        if self.router.keys.is_single() {
            // Queried in any case.
            return Ok(vec![u64::MAX]);
        }
        let sizes = partitions.iter().map(|partition| {
            let key = self.router.keys.user_clients(*partition, namespace, user);
            async move { self.count(*partition, "SCARD", key).await }
        });
        try_join_all(sizes).await
    }

    /// The first part of every list that is likely to be on the page that begins with this step.
    async fn read_ahead(
        &self,
        partitions: &[Partition],
        sizes: &[u64],
        whose: Whose<'_>,
        first: Option<Step>,
    ) -> Result<BTreeMap<usize, Found<WebSocketClient>>, StateError> {
        let Some(first) = first else { return Ok(BTreeMap::new()) };
        let mut likely = Vec::new();
        let mut found = 0;
        for (list, size) in sizes.iter().enumerate().skip(first.list) {
            if found >= first.count as u64 {
                break;
            }
            if *size > 0 {
                found = found.saturating_add(*size);
                let scan = if list == first.list { first.scan.clone() } else { "0".to_owned() };
                likely.push(Step { list, scan, count: first.count });
            }
        }
        let reads = likely.into_iter().map(|step| async move {
            Ok::<_, StateError>((step.list, self.user_clients_in(partitions[step.list], whose, step).await?))
        });
        Ok(try_join_all(reads).await?.into_iter().collect())
    }

    async fn user_clients_in(
        &self,
        partition: Partition,
        Whose { namespace, user }: Whose<'_>,
        step: Step,
    ) -> Result<Found<WebSocketClient>, StateError> {
        let args = args!["user", step.scan, step.count, namespace, user];
        let mut reply = self.run(&script::SCAN, partition, &args, Repeat::Always).await?;
        let next = reply.next()?;
        let records: Vec<Record> = reply.next_readable()?;
        let items = records.into_iter().filter_map(|read| Some((read.0.clone(), record(read).ok()?)));
        Ok(Found { next, items: items.collect() })
    }
}
