//! A bounded number of threads that may wait, each with a worker of its own: for handlers that may take their time, and for the
//! processes that host handlers. Nobody waits longer than the deadline, whatever a worker does.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use symbolon_sdk::host::HandlerFault;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::answer::Trouble;
use super::work::{Answer, Work};

/// Asks a handler, on a thread where waiting harms nobody.
pub(super) trait Worker: Send + 'static {
    /// Asks. Should be back by the deadline; nobody waits for it longer.
    fn ask(&mut self, work: &Work, deadline: Instant) -> Result<Answer, Trouble>;

    /// Makes itself fit for the next call, after the answer has been given.
    fn recover(&mut self) {}
}

/// The threads. They end when the pool is dropped and the calls under way have returned.
#[derive(Debug)]
pub(super) struct Pool {
    calls: Sender<Call>,
    free: Arc<Semaphore>,
}

struct Call {
    work: Work,
    deadline: Instant,
    answer: oneshot::Sender<Result<Answer, Trouble>>,
    /// Given back when the worker is fit for another call.
    permit: OwnedSemaphorePermit,
}

impl Pool {
    /// Starts a thread for each worker.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(super) fn start(workers: Vec<Box<dyn Worker>>) -> io::Result<Self> {
        let (calls, waiting) = mpsc::channel();
        let waiting = Arc::new(Mutex::new(waiting));
        let free = Arc::new(Semaphore::new(workers.len()));
        for worker in workers {
            let waiting = Arc::clone(&waiting);
            thread::Builder::new().name("handler".to_owned()).spawn(move || serve(worker, &waiting))?;
        }
        Ok(Self { calls, free })
    }

    /// Asks whichever worker is free, and waits no longer than `limit` in all.
    pub(super) async fn ask(&self, work: Work, limit: Duration) -> Result<Answer, Trouble> {
        let deadline = Instant::now() + limit;
        let until = tokio::time::Instant::from_std(deadline);
        let free = tokio::time::timeout_at(until, Arc::clone(&self.free).acquire_owned()).await;
        let Ok(Ok(permit)) = free else { return Err(Trouble::Busy) };
        let (answer, answered) = oneshot::channel();
        if self.calls.send(Call { work, deadline, answer, permit }).is_err() {
            return Err(Trouble::Busy);
        }
        match tokio::time::timeout_at(until, answered).await {
            Ok(Ok(answer)) => answer,
            // A worker is not dropped with a call in its hands.
            Ok(Err(_)) => Err(Trouble::Busy),
            Err(_) => Err(Trouble::Late(limit)),
        }
    }
}

fn serve(mut worker: Box<dyn Worker>, waiting: &Mutex<Receiver<Call>>) {
    loop {
        // The lock is held while waiting: the others wait for the lock instead, and who has it takes the next call.
        let call = waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Call { work, deadline, answer, permit }) = call else { return };
        let result = catch_unwind(AssertUnwindSafe(|| worker.ask(&work, deadline)));
        let result = result.unwrap_or_else(|_| Err(Trouble::Handler(HandlerFault::Malformed("the call broke off".to_owned()))));
        // Whoever asked may have gone; the worker must become fit all the same.
        drop(answer.send(result));
        drop(catch_unwind(AssertUnwindSafe(|| worker.recover())));
        drop(permit);
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test")]
mod tests {
    use std::sync::{Barrier, Condvar};

    use symbolon_sdk::DeviceSsoAuthorization;

    use super::*;
    use crate::issuance::handler::question::tests;

    const PATIENT: Duration = Duration::from_mins(1);

    /// Does what the client's name says.
    #[derive(Default, Clone)]
    struct Odd {
        gate: Arc<(Mutex<bool>, Condvar)>,
        meeting: Option<Arc<Barrier>>,
    }

    impl Odd {
        fn open(&self) {
            *self.gate.0.lock().unwrap() = true;
            self.gate.1.notify_all();
        }
    }

    impl Worker for Odd {
        fn ask(&mut self, work: &Work, _: Instant) -> Result<Answer, Trouble> {
            let Work::Exchange(facts) = work else { panic!("{work:?}") };
            match facts.ids().0 {
                "wait" => drop(self.gate.1.wait_while(self.gate.0.lock().unwrap(), |open| !*open)),
                "meet" => drop(self.meeting.as_ref().map(|meeting| meeting.wait())),
                "panic" => panic!("on purpose"),
                _ => {}
            }
            Ok(Answer::Decision(Box::new(DeviceSsoAuthorization::of_scope(["openid"]))))
        }
    }

    fn facts(client: &str) -> Work {
        Work::Exchange(Box::new(tests::facts(client)))
    }

    fn pool(threads: usize, odd: &Odd) -> Pool {
        Pool::start((0..threads).map(|_| Box::new(odd.clone()) as Box<dyn Worker>).collect()).unwrap()
    }

    #[tokio::test]
    async fn nobody_waits_longer_than_the_deadline() {
        let odd = Odd::default();
        let pool = pool(1, &odd);
        let short = Duration::from_millis(20);
        assert_eq!(pool.ask(facts("wait"), short).await, Err(Trouble::Late(short)));
        // The one thread is still busy with it.
        assert_eq!(pool.ask(facts("quick"), short).await, Err(Trouble::Busy));
        odd.open();
        assert_eq!(
            pool.ask(facts("quick"), PATIENT).await.and_then(Answer::decision).map(|allowed| allowed.scope),
            Ok(vec!["openid".to_owned()])
        );
    }

    #[tokio::test]
    async fn a_worker_that_panics_serves_on() {
        let pool = pool(1, &Odd::default());
        for _ in 0..3 {
            let answer = pool.ask(facts("panic"), PATIENT).await;
            assert!(matches!(answer, Err(Trouble::Handler(HandlerFault::Malformed(_)))), "{answer:?}");
            assert!(pool.ask(facts("quick"), PATIENT).await.is_ok());
        }
    }

    #[tokio::test]
    async fn as_many_run_at_once_as_there_are_workers() {
        let pool = pool(4, &Odd { meeting: Some(Arc::new(Barrier::new(4))), ..Odd::default() });
        let calls = (0..4).map(|_| pool.ask(facts("meet"), PATIENT));
        assert!(futures_util::future::join_all(calls).await.into_iter().all(|answer| answer.is_ok()));
    }
}
