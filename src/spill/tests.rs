use super::*;

fn asked(n_workers: usize, memory: Option<u64>) -> Asked {
    Asked { spill: Spill::Auto, n_workers, memory, is_for_others: false, sync: false }
}

#[test]
fn the_buckets_of_all_workers_fit_into_memory_and_each_has_several() {
    assert_eq!(bucket_bytes(1 << 40, &asked(4, Some(4 << 30))), 512 << 20);
    assert_eq!(bucket_bytes(1 << 40, &asked(4, Some(1 << 40))), 1 << 30);
    assert_eq!(bucket_bytes(1 << 40, &asked(4, None)), 1 << 30);
    assert_eq!(bucket_bytes(1 << 30, &asked(4, Some(1 << 40))), 64 << 20);
    assert_eq!(bucket_bytes(3, &asked(0, Some(0))), 1);
}

#[test]
fn where_there_is_no_room_it_is_said_how_much_is_needed() {
    assert_eq!(no_room(10, 10, true), None);
    let said = no_room(4_200_000_000, 999_000_000, true).unwrap();
    assert!(said.contains("(4.2 GB with the dataset, 999.0 MB are free); reading them one by one"), "{said}");
    let said = no_room(4_200_000_000, 999_000_000, false).unwrap();
    assert!(said.ends_with("make room, or use --spill never"), "{said}");
}
