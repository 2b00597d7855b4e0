//! Which clients are in which rooms.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use halloo_proto::room;
use slab::Slab;

use crate::{Config, RoomError, RoomStatus};

/// A room that exists. The key of a room without members may become that of another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RoomKey(u32);

/// The rooms and their members, by the slots of their connections. It is kept beside the table of connections, because most
/// clients are in no room. A room exists while it has members.
#[derive(Debug)]
pub(super) struct Rooms {
    max_rooms: usize,
    max_per_client: usize,
    rooms: Slab<Room>,
    keys: HashMap<Arc<str>, RoomKey>,
    /// The rooms of each client that is in one, in the order in which it joined them.
    of_clients: HashMap<u32, Vec<Place>>,
    /// The rooms whose number of members changed, if that is reported to others.
    changed: Option<HashSet<Arc<str>>>,
}

#[derive(Debug)]
struct Room {
    name: Arc<str>,
    members: Vec<u32>,
}

/// A room of a client, and the index of the client among its members.
#[derive(Debug)]
struct Place {
    room: RoomKey,
    index: u32,
}

impl Rooms {
    pub(super) fn new(config: &Config) -> Rooms {
        Rooms {
            max_rooms: config.max_rooms,
            max_per_client: config.max_rooms_per_client,
            rooms: Slab::new(),
            keys: HashMap::new(),
            of_clients: HashMap::new(),
            changed: None,
        }
    }

    /// Returns the room called `name`; `None` if it has no members.
    pub(super) fn find(&self, name: &str) -> Option<RoomKey> {
        self.keys.get(name).copied()
    }

    /// Returns the number of rooms.
    pub(super) fn len(&self) -> usize {
        self.rooms.len()
    }

    /// Returns whether no other room can be opened.
    pub(super) fn is_full(&self) -> bool {
        self.rooms.len() >= self.max_rooms
    }

    /// Returns why the client in `slot` cannot join the room called `name`; `None` if it can, or is in it.
    pub(super) fn refuse(&self, slot: u32, name: &str) -> Option<RoomError> {
        if let Err(error) = room::check(name) {
            return Some(error.into());
        }
        let key = self.find(name);
        if key.is_none() && self.is_full() {
            return Some(RoomError::TooManyRooms { most: self.max_rooms });
        }
        let is_member = key.is_some_and(|key| self.contains(key, slot));
        (!is_member && self.keys_of(slot).count() >= self.max_per_client)
            .then_some(RoomError::TooManyRoomsOfClient { most: self.max_per_client })
    }

    /// Adds the client in `slot` to the room called `name`. Returns the room, or `None` if the client is in it already.
    pub(super) fn join(&mut self, slot: u32, name: &str) -> Result<Option<RoomKey>, RoomError> {
        if let Some(error) = self.refuse(slot, name) {
            return Err(error);
        }
        let key = self.find(name).unwrap_or_else(|| self.open(name));
        if self.contains(key, slot) {
            return Ok(None);
        }
        let members = &mut self.rooms[key.0 as usize].members;
        // Most rooms stay small, and there may be thousands.
        members.reserve_exact(if members.len() < 4 { 1 } else { members.len() / 2 });
        let index = members.len() as u32;
        members.push(slot);
        let places = self.of_clients.entry(slot).or_insert_with(|| Vec::with_capacity(1));
        places.push(Place { room: key, index });
        self.note_change(key);
        Ok(Some(key))
    }

    fn open(&mut self, name: &str) -> RoomKey {
        let name: Arc<str> = name.into();
        // There are at most as many rooms as a setting allows, far below 2^32.
        let key = RoomKey(self.rooms.insert(Room { name: Arc::clone(&name), members: Vec::new() }) as u32);
        self.keys.insert(name, key);
        key
    }

    /// Removes the client in `slot` from a room, if it is in it.
    pub(super) fn leave(&mut self, slot: u32, room: RoomKey) {
        let Some(places) = self.of_clients.get_mut(&slot) else { return };
        let Some(at) = places.iter().position(|place| place.room == room) else { return };
        let place = places.remove(at);
        if places.is_empty() {
            self.of_clients.remove(&slot);
        }
        self.remove_member(&place);
    }

    /// Removes the client in `slot` from all rooms and returns their names.
    pub(super) fn leave_all(&mut self, slot: u32) -> Vec<String> {
        let Some(places) = self.of_clients.remove(&slot) else { return Vec::new() };
        let names = places.iter().map(|place| self.name(place.room)).collect();
        places.iter().for_each(|place| self.remove_member(place));
        names
    }

    /// Begins to report the rooms that change; at first all that there are.
    #[cfg(feature = "cluster")]
    pub(super) fn watch(&mut self) {
        self.changed = Some(self.keys.keys().cloned().collect());
    }

    /// Ends that.
    #[cfg(feature = "cluster")]
    pub(super) fn unwatch(&mut self) {
        self.changed = None;
    }

    /// Returns the rooms that changed since the last call, with their number of members.
    #[cfg(feature = "cluster")]
    pub(super) fn take_changed(&mut self) -> Vec<(Arc<str>, usize)> {
        let Some(changed) = self.changed.as_mut().filter(|changed| !changed.is_empty()) else { return Vec::new() };
        let changed = std::mem::take(changed);
        let count = |name: &Arc<str>| self.find(name).map_or(0, |key| self.members(key).len());
        changed.into_iter().map(|name| (Arc::clone(&name), count(&name))).collect()
    }

    fn note_change(&mut self, room: RoomKey) {
        if let (Some(changed), Some(room)) = (&mut self.changed, self.rooms.get(room.0 as usize)) {
            changed.insert(Arc::clone(&room.name));
        }
    }

    fn remove_member(&mut self, place: &Place) {
        self.note_change(place.room);
        let key = place.room.0 as usize;
        let members = &mut self.rooms[key].members;
        members.swap_remove(place.index as usize);
        match members.get(place.index as usize) {
            Some(moved) => {
                let places = self.of_clients.get_mut(moved).into_iter().flatten();
                places.filter(|other| other.room == place.room).for_each(|other| other.index = place.index);
            }
            None if members.is_empty() => {
                let room = self.rooms.remove(key);
                self.keys.remove(&room.name);
            }
            None => {}
        }
    }

    /// Returns whether the client in `slot` is in the room.
    pub(super) fn contains(&self, room: RoomKey, slot: u32) -> bool {
        self.keys_of(slot).any(|key| key == room)
    }

    /// Returns the slots of the members of a room, which may have none left.
    pub(super) fn members(&self, room: RoomKey) -> &[u32] {
        self.rooms.get(room.0 as usize).map_or(&[], |room| &room.members)
    }

    /// Returns the rooms of the client in `slot`.
    pub(super) fn keys_of(&self, slot: u32) -> impl Iterator<Item = RoomKey> {
        self.of_clients.get(&slot).into_iter().flatten().map(|place| place.room)
    }

    /// Returns the names of the rooms of the client in `slot`.
    pub(super) fn names_of(&self, slot: u32) -> Vec<String> {
        self.keys_of(slot).map(|key| self.name(key)).collect()
    }

    fn name(&self, room: RoomKey) -> String {
        self.rooms[room.0 as usize].name.as_ref().to_owned()
    }

    /// Returns every room, ordered by name.
    pub(super) fn statuses(&self) -> Vec<RoomStatus> {
        let status = |(_, room): (usize, &Room)| RoomStatus { room: (*room.name).into(), clients: room.members.len() };
        let mut rooms: Vec<RoomStatus> = self.rooms.iter().map(status).collect();
        rooms.sort_unstable_by(|a, b| a.room.cmp(&b.room));
        rooms
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;

    fn rooms(max_rooms: usize, max_rooms_per_client: usize) -> Rooms {
        Rooms::new(&Config::default().max_rooms(max_rooms).max_rooms_per_client(max_rooms_per_client))
    }

    #[test]
    fn limits_of_a_client_and_of_the_server_are_told() {
        let mut rooms = rooms(3, 2);
        assert!(rooms.join(1, "a").unwrap().is_some() && rooms.join(1, "b").unwrap().is_some());
        assert!(rooms.join(1, "a").unwrap().is_none(), "it is in it already, which is no error");
        assert_eq!(rooms.join(1, "c"), Err(RoomError::TooManyRoomsOfClient { most: 2 }));
        assert!(rooms.join(2, "c").unwrap().is_some());
        assert_eq!(rooms.join(2, "d"), Err(RoomError::TooManyRooms { most: 3 }));
        assert!(rooms.join(2, "a").unwrap().is_some(), "a room that exists has place");
        assert_eq!(rooms.leave_all(1), ["a", "b"]);
        assert!(rooms.join(3, "d").unwrap().is_some(), "an empty room is gone");
        assert!(matches!(rooms.join(3, ""), Err(RoomError::Name(_))));
    }

    proptest! {
        #[test]
        fn members_are_those_who_joined_and_did_not_leave(
            steps in prop::collection::vec((0..6_u32, 0..5_usize, 0..3_u8), 0..200)
        ) {
            let (mut rooms, mut model) = (rooms(100, 100), BTreeMap::<usize, BTreeSet<u32>>::new());
            for (slot, room, step) in steps {
                let name = room.to_string();
                match step {
                    0 => {
                        let is_new = model.entry(room).or_default().insert(slot);
                        prop_assert_eq!(rooms.join(slot, &name).unwrap().is_some(), is_new);
                    }
                    1 => {
                        model.entry(room).or_default().remove(&slot);
                        if let Some(key) = rooms.find(&name) {
                            rooms.leave(slot, key);
                        }
                    }
                    _ => {
                        let left: BTreeSet<String> = rooms.leave_all(slot).into_iter().collect();
                        let held = model.iter_mut().filter_map(|(room, slots)| slots.remove(&slot).then_some(room));
                        prop_assert_eq!(left, held.map(usize::to_string).collect::<BTreeSet<_>>());
                    }
                }
                model.retain(|_, slots| !slots.is_empty());
                let statuses = rooms.statuses();
                let expected = model.iter().map(|(room, slots)| (room.to_string(), slots.len()));
                prop_assert!(expected.eq(statuses.into_iter().map(|status| (status.room, status.clients))));
                for (room, slots) in &model {
                    let key = rooms.find(&room.to_string()).unwrap();
                    prop_assert_eq!(slots, &rooms.members(key).iter().copied().collect::<BTreeSet<_>>());
                    prop_assert!((0..6).all(|slot| rooms.contains(key, slot) == slots.contains(&slot)));
                }
            }
        }
    }
}
