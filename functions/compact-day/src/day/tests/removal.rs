//! What may be removed, and when.

use std::cell::RefCell;
use std::rc::Rc;

use chrono::TimeDelta;

use super::world::{Actor, World, step};

/// Half a day and more after a day of two files was compacted, with what may have happened meanwhile.
fn originals_left(happened: impl FnOnce(&mut World)) -> usize {
    let world = Rc::new(RefCell::new(World::new(2)));
    let night = || {
        let actor = Actor { id: 1, world: Rc::clone(&world) };
        let mut run: std::pin::Pin<Box<dyn Future<Output = ()>>> = Box::pin(actor.run());
        while !step(&mut run) {}
    };
    night();
    assert_eq!(world.borrow().originals(), 2, "what was compacted a moment ago stays");
    happened(&mut world.borrow_mut());
    night();
    let seen = world.borrow().seen();
    assert!([0, 1].iter().all(|row| seen.contains(row)), "{seen:?}");
    world.borrow().originals()
}

#[test]
fn what_is_covered_goes_once_it_and_the_switch_are_old() {
    let hours = TimeDelta::hours;
    assert_eq!(originals_left(|world| world.clock += hours(1)), 2, "a query that was planned before the switch may still run");
    assert_eq!(originals_left(|world| world.clock += hours(3)), 0);
}

#[test]
fn what_the_watermark_has_not_passed_stays() {
    let after = |watermark: i64| {
        originals_left(|world| {
            world.clock += TimeDelta::hours(3);
            world.watermark = watermark;
        })
    };
    assert_eq!([after(0), after(1), after(2)], [2, 1, 0]);
}

#[test]
fn nothing_goes_when_a_newer_generation_has_just_taken_over_or_readers_were_led_elsewhere() {
    let later = |world: &mut World| world.clock += TimeDelta::hours(3);
    let landed = |world: &mut World| {
        later(world);
        world.land(2);
    };
    assert_eq!(originals_left(landed), 3, "the new generation is young");
    let led_back = |world: &mut World| {
        later(world);
        world.lead_back();
    };
    assert_eq!(originals_left(led_back), 2, "a query may have been planned over the old files a moment ago");
}
