//! Records come, change and go, and streams are called accordingly.

use std::collections::BTreeMap;

use super::*;

const DAY: i64 = NS_PER_DAY;

fn at(ns: i64) -> Timestamp {
    Timestamp::from_ns(ns)
}

fn pod(uid: &str, app: &str, labels: &[(&str, &str)]) -> Record {
    let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let facts = Facts { app: app.into(), labels, ..Facts::default() };
    Record::Pod(Pod { uid: uid.into(), namespace: "shop".into(), name: "web-0".into(), facts })
}

fn container(id: &str, uid: &str) -> Record {
    Record::PodContainer(PodContainer { id: id.into(), uid: uid.into(), namespace: "shop".into(), pod: "web-0".into() })
}

fn stream(id: &str) -> Labels {
    Labels::new([("namespace", "shop"), ("pod", "web-0"), ("container", "c"), ("container_id", id)]).unwrap()
}

/// The records that are to be stored, as lines.
fn unsaved(inventory: &Inventory, now: i64) -> Vec<String> {
    let lines = inventory.take_unsaved(at(now));
    lines.iter().map(|(_, line)| String::from_utf8(line.to_vec()).unwrap()).collect()
}

#[track_caller]
fn check(inventory: &Inventory, id: &str, name: &str, expected: Option<&str>) {
    let joined = inventory.join(&stream(id));
    assert_eq!(joined.labels.get(name), expected);
    assert!(joined.is_accepted_by(&Matcher::equal(name, expected.unwrap_or_default())));
}

#[test]
fn a_stream_is_joined_by_its_pods_uid_whichever_comes_first() {
    let inventory = Inventory::default();
    check(&inventory, "1", "team", None);
    inventory.put(container("1", "u"));
    check(&inventory, "1", "team", None);
    inventory.put(pod("u", "web", &[("team", "t")]));
    check(&inventory, "1", "team", Some("t"));
    check(&inventory, "1", "job", Some("shop/web"));
    check(&inventory, "1", "pod", Some("web-0"));
    // A pod that came back under its name.
    inventory.put(pod("v", "web", &[("team", "other")]));
    inventory.put(container("2", "v"));
    check(&inventory, "1", "team", Some("t"));
    check(&inventory, "2", "team", Some("other"));
}

#[test]
fn the_last_labels_count_and_hidden_ones_are_found() {
    let inventory = Inventory::default();
    inventory.put(container("1", "u"));
    inventory.put(pod("u", "web", &[("role", "replica"), ("pod-template-hash", "7d4b")]));
    let version = inventory.version();
    inventory.put(pod("u", "web", &[("role", "replica"), ("pod-template-hash", "7d4b")]));
    assert_eq!(inventory.version(), version);
    inventory.put(pod("u", "web", &[("role", "primary"), ("pod-template-hash", "7d4b")]));
    assert!(version < inventory.version());
    check(&inventory, "1", "role", Some("primary"));
    let joined = inventory.join(&stream("1"));
    assert_eq!(joined.labels.get("pod_template_hash"), None);
    assert!(joined.is_accepted_by(&Matcher::equal("pod_template_hash", "7d4b")));
    assert!(!joined.is_accepted_by(&Matcher::equal("pod_template_hash", "")));
}

#[test]
fn records_are_stored_when_they_change_and_in_each_day_with_lines() {
    let inventory = Inventory::default();
    inventory.put(container("1", "u"));
    inventory.put(pod("u", "web", &[]));
    assert_eq!(unsaved(&inventory, 10).len(), 2);
    inventory.put(pod("u", "web", &[]));
    inventory.note_stored(&stream("1"), at(20));
    assert_eq!(unsaved(&inventory, 20), [""; 0]);
    inventory.put(pod("u", "web", &[("a", "b")]));
    assert_eq!(unsaved(&inventory, 30).len(), 1);
    // The next day, once; of pods that are silent, nothing.
    inventory.put(pod("silent", "web", &[]));
    assert_eq!(unsaved(&inventory, 40).len(), 1);
    for _ in 0..2 {
        inventory.note_stored(&stream("1"), at(DAY + 1));
    }
    assert_eq!(unsaved(&inventory, DAY + 1).len(), 2);
    inventory.note_stored(&stream("1"), at(DAY + 2));
    assert_eq!(unsaved(&inventory, DAY + 2), [""; 0]);
}

#[test]
fn what_is_stored_is_restored_with_the_newest_last() {
    let inventory = Inventory::default();
    inventory.put(container("1", "u"));
    inventory.put(pod("u", "web", &[("v", "1")]));
    let mut stored = inventory.take_unsaved(at(50));
    inventory.put(pod("u", "web", &[("v", "2")]));
    // The clock was set back.
    for (time, line) in inventory.take_unsaved(at(7)).iter() {
        stored.push(time, line);
    }
    let times = stored.timestamps().to_vec();
    assert!(times.is_sorted_by(|one, other| one < other), "{times:?}");
    let restored = Inventory::default();
    for (time, line) in stored.iter() {
        restored.restore(Record::of_line(line).unwrap(), time);
    }
    check(&restored, "1", "v", Some("2"));
    assert_eq!(unsaved(&restored, 60), [""; 0]);
    restored.note_stored(&stream("1"), at(60));
    assert_eq!(unsaved(&restored, 60), [""; 0]);
    restored.note_stored(&stream("1"), at(DAY));
    assert_eq!(unsaved(&restored, DAY).len(), 2);
}

#[test]
fn a_record_is_forgotten_once_nobody_needs_it() {
    let inventory = Inventory::default();
    for uid in ["stored", "living", "gone"] {
        inventory.put(container(uid, uid));
        inventory.put(pod(uid, "web", &[]));
    }
    inventory.set_living(&HashSet::from(["living".to_owned()]));
    assert_eq!(inventory.living_count(), 1);
    unsaved(&inventory, 1);
    inventory.forget_without(&[stream("stored")]);
    assert!(inventory.has_pod("gone"));
    inventory.let_time_pass(IDLE_TIME_MAX);
    inventory.forget_without(&[stream("stored")]);
    let known = ["stored", "living", "gone"].map(|uid| inventory.has_pod(uid));
    assert_eq!(known, [true, true, false]);
    check(&inventory, "stored", "app", Some("web"));
}

#[test]
fn pods_of_one_template_share_what_is_known_of_them() {
    let inventory = Inventory::default();
    for number in 0..100 {
        inventory.put(pod(&number.to_string(), "web", &[("team", "t")]));
    }
    assert_eq!(inventory.read().shared.len(), 1);
}

#[test]
fn a_containers_streams_are_called_by_its_name_wherever_they_are_read() {
    let id = "0123456789abcdef".repeat(4);
    let labels = BTreeMap::from([("container".to_owned(), "web".to_owned())]);
    let hidden = BTreeMap::from([("compose_number".to_owned(), "1".to_owned())]);
    let inventory = Inventory::default();
    inventory.put(Record::Container(Container { id: id.clone(), labels, hidden }));
    let path = format!("/var/lib/docker/containers/{id}/{id}-json.log");
    for stored in [[("container_id", id.as_str())], [("path", path.as_str())]] {
        let joined = inventory.join(&Labels::new(stored).unwrap());
        assert_eq!(joined.labels.get("container"), Some("web"));
        assert!(joined.is_accepted_by(&Matcher::equal("compose_number", "1")));
    }
}

#[test]
fn a_pod_or_some_of_its_containers_are_excluded() {
    let inventory = Inventory::default();
    assert!(!inventory.excludes("u", "c"));
    for (exclude, expected) in [
        (Exclusion::Nothing, [false, false]),
        (Exclusion::Everything, [true, true]),
        (Exclusion::Containers(vec!["c".into()]), [true, false]),
    ] {
        let facts = Facts { exclude, ..Facts::default() };
        inventory.put(Record::Pod(Pod { uid: "u".into(), facts, ..Pod::default() }));
        assert_eq!(["c", "d"].map(|container| inventory.excludes("u", container)), expected);
    }
}
