//! Long random histories: more records, invocations and mishaps than a search can go through.

use proptest::prelude::*;

use crate::model::{Budget, KINDS, State, World};

/// What a history does next. Numbers are taken modulo what there is.
#[derive(Debug, Clone)]
enum Act {
    Deliver { who: usize, back: i64, len: usize },
    Proceed { who: usize, steps: usize },
    Kill { who: usize },
    GiveUp { who: usize },
    Drop { nth: usize },
    Compact,
}

fn act() -> impl Strategy<Value = Act> {
    let who = 0..2_usize;
    prop_oneof![
        4 => (who.clone(), 0..6_i64, 1..12_usize).prop_map(|(who, back, len)| Act::Deliver { who, back, len }),
        10 => (who.clone(), 1..8_usize).prop_map(|(who, steps)| Act::Proceed { who, steps }),
        2 => who.clone().prop_map(|who| Act::Kill { who }),
        1 => who.prop_map(|who| Act::GiveUp { who }),
        1 => (0..40_usize).prop_map(|nth| Act::Drop { nth }),
        1 => Just(Act::Compact),
    ]
}

fn perform(state: &mut State, world: &World, act: &Act) {
    match act {
        Act::Deliver { who, back, len } if !state.is_running(*who) => {
            let from = (state.committed() - back).max(0);
            let offsets: Vec<_> = state.log().range(from..).take(*len).copied().collect();
            if !offsets.is_empty() {
                state.start(world, *who, &offsets);
            }
        }
        Act::Deliver { .. } => {}
        Act::Proceed { who, steps } => (0..*steps).for_each(|_| {
            state.proceed(*who);
        }),
        Act::Kill { who } => state.kill(*who),
        Act::GiveUp { who } => state.give_up(*who),
        Act::Drop { nth } => {
            let offset = state.log().iter().nth(*nth).copied();
            if let Some(offset) = offset.filter(|offset| Some(offset) != state.log().last()) {
                state.drop_offset(offset);
            }
        }
        Act::Compact => state.compact(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn every_record_ends_in_exactly_one_place(
        kinds in prop::collection::vec(prop::sample::select(&KINDS[..]), 1..40),
        acts in prop::collection::vec(act(), 1..200),
    ) {
        let world = World { records: [vec![kinds.clone()], vec![kinds]], two_versions: false };
        let mut state = State::new(&world, Budget::default());
        for act in &acts {
            perform(&mut state, &world, act);
            prop_assert_eq!(state.violation(&world), None, "after {:?}", act);
        }
        // Whatever happened, a mapping that goes on delivering gets everything stored.
        for _ in 0..20 {
            let offsets: Vec<_> = state.log().range(state.committed()..).copied().collect();
            if offsets.is_empty() {
                break;
            }
            state.kill(0);
            state.start(&world, 0, &offsets);
            let mut steps = 0;
            while state.is_running(0) {
                state.proceed(0);
                steps += 1;
                prop_assert!(steps < 1_000, "the invocation goes round in circles");
            }
        }
        prop_assert!(state.complete());
        prop_assert_eq!(state.violation(&world), None);
    }
}
