//! Many real processes at the moment when their token expires.
//!
//! The authorization server rotates refresh tokens, and ends the login of whoever uses one twice.

use integration::worker::{Said, Site, Worker};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_eight_and_thirty_two_processes_at_expiry_refresh_once_and_all_succeed_ref_09() {
    at_expiry(&Site::on_files().await, &[2, 8, 32]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_and_eight_processes_on_an_encrypted_store_refresh_once_and_all_succeed_ref_09() {
    at_expiry(&Site::on_encrypted_files().await, &[2, 8]).await;
}

async fn at_expiry(site: &Site, herds: &[usize]) {
    for (round, count) in herds.iter().enumerate() {
        site.expire().await;
        let mut workers = Vec::new();
        for _ in 0..*count {
            workers.push(Worker::start(site, None).await);
        }
        for worker in &mut workers {
            worker.go().await;
        }
        for worker in &mut workers {
            assert_eq!(worker.said().await, Said::Token, "of {count}");
        }
        for worker in workers {
            assert_eq!(worker.end().await, None);
        }
        let counters = site.world.auth.counters();
        assert_eq!(counters.refreshes, round + 1, "of {count}");
        assert_eq!(counters.refresh_requests, round + 1, "of {count}");
        assert_eq!(counters.reuses, 0);
        assert!(site.is_honoured().await, "the family is alive");
        assert!(site.is_sound().await);
    }
}
