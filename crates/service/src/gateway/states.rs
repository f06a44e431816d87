//! The application's values, by type.

use std::{
    any::{Any, TypeId},
    collections::HashMap,
    fmt,
};

use super::Requirement;

/// One value of each type.
#[derive(Default)]
pub(super) struct States(HashMap<TypeId, Box<dyn Any + Send + Sync>>);

impl States {
    /// Returns false if there was one of this type; the new one replaces it.
    pub(super) fn insert<T: Send + Sync + 'static>(&mut self, state: T) -> bool {
        self.0.insert(TypeId::of::<T>(), Box::new(state)).is_none()
    }

    pub(super) fn get<T: 'static>(&self) -> Option<&T> {
        self.0.get(&TypeId::of::<T>())?.downcast_ref()
    }

    pub(super) fn holds(&self, requirement: &Requirement) -> bool {
        self.0.contains_key(&requirement.type_id())
    }
}

impl fmt::Debug for States {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "States({})", self.0.len())
    }
}
