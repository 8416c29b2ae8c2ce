//! Every order of things: a few actors, futures all, are polled one at a time in every order in which a scheduler might, and
//! dropped at every point where they may be. What waits although it was never told, what is told and lost, what a dropped
//! one takes along: each shows in some order, and the same one each time.
//!
//! Between two awaits an actor is alone. What threads do to each other inside of a lock is left to the sanitizers.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

/// What became of an actor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    Finished,
    /// Dropped while it waited.
    Dropped,
    /// It waits for something that nobody does any more.
    Waits,
}

type Body = Pin<Box<dyn Future<Output = ()>>>;
type Check = Box<dyn FnOnce(&[Fate])>;

/// A scene: its actors, and what must hold once nobody can go on.
#[derive(Default)]
pub struct Scene {
    actors: Vec<(Body, bool)>,
    check: Option<Check>,
}

impl Scene {
    /// Someone who goes on to the end of what he does.
    pub fn actor(&mut self, body: impl Future<Output = ()> + 'static) {
        self.actors.push((Box::pin(body), false));
    }

    /// Someone who may be dropped whenever he waits: a flushed request, a killed task, a connection that ends.
    pub fn fickle(&mut self, body: impl Future<Output = ()> + 'static) {
        self.actors.push((Box::pin(body), true));
    }

    /// What must hold at the end, given what became of the actors in the order they were made.
    pub fn check(&mut self, check: impl FnOnce(&[Fate]) + 'static) {
        self.check = Some(Box::new(check));
    }
}

/// A moment at which others may come in between.
pub async fn step() {
    let mut waited = false;
    std::future::poll_fn(|cx| {
        if std::mem::replace(&mut waited, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// What can be done next.
#[derive(Clone, Copy)]
enum Move {
    Poll(usize),
    Drop(usize),
    /// Nobody can go on, and those who might still be dropped are not.
    End,
}

/// Orders of one scene at most: more, and it is too large a scene.
const MOST: usize = 500_000;

/// Plays the scene in every order; gives how many there are.
pub fn every_order(scene: impl Fn(&mut Scene)) -> usize {
    let choices: Rc<RefCell<Vec<(usize, usize)>>> = Rc::default();
    let playing = Cell::new(0);
    loop {
        playing.set(playing.get() + 1);
        assert!(playing.get() <= MOST, "more than {MOST} orders");
        let order = choices.borrow().iter().map(|(at, _)| at.to_string()).collect::<Vec<_>>().join(" ");
        let shown = Shown(order);
        play(&scene, &mut choices.borrow_mut());
        std::mem::forget(shown);
        // The next order: the last choice that has another way left takes it.
        let mut all = choices.borrow_mut();
        while let Some((at, of)) = all.pop() {
            if at + 1 < of {
                all.push((at + 1, of));
                break;
            }
        }
        if all.is_empty() {
            return playing.get();
        }
    }
}

/// Says which order it was when a play fails.
struct Shown(String);

impl Drop for Shown {
    fn drop(&mut self) {
        eprintln!("in the order that begins with {}", self.0);
    }
}

fn play(scene: &impl Fn(&mut Scene), choices: &mut Vec<(usize, usize)>) {
    let mut made = Scene::default();
    scene(&mut made);
    let mut actors: Vec<Option<(Body, bool)>> = made.actors.into_iter().map(Some).collect();
    let woken: Vec<Arc<Woken>> = actors.iter().map(|_| Arc::new(Woken(AtomicBool::new(true)))).collect();
    let mut fates = vec![Fate::Waits; actors.len()];
    let mut begun = vec![false; actors.len()];
    let mut taken = 0;
    loop {
        let mut moves = Vec::new();
        for (index, actor) in actors.iter().enumerate() {
            let Some((_, fickle)) = actor else { continue };
            if woken[index].0.load(Ordering::SeqCst) {
                moves.push(Move::Poll(index));
            }
            if *fickle && begun[index] {
                moves.push(Move::Drop(index));
            }
        }
        if !moves.iter().any(|next| matches!(next, Move::Poll(_))) {
            moves.push(Move::End);
        }
        if taken == choices.len() {
            choices.push((0, moves.len()));
        }
        let (at, of) = choices[taken];
        assert_eq!(of, moves.len(), "the same choices lead to the same scene");
        taken += 1;
        match moves[at] {
            Move::End => break,
            Move::Drop(index) => {
                actors[index] = None;
                fates[index] = Fate::Dropped;
            }
            Move::Poll(index) => {
                woken[index].0.store(false, Ordering::SeqCst);
                begun[index] = true;
                let waker = Waker::from(woken[index].clone());
                let Some((body, _)) = &mut actors[index] else { continue };
                if body.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
                    actors[index] = None;
                    fates[index] = Fate::Finished;
                }
            }
        }
    }
    if let Some(check) = made.check {
        check(&fates);
    }
}
