//! What a driver of Linux IIO says of its scans: element types, and the layout of a scan.

use gaitd_sense::iio::{ElementType, Layout};
use proptest::prelude::*;

/// A type, and the text that says so.
fn any_type() -> impl Strategy<Value = (String, u64, u32, u32, u32, bool, bool)> {
    let storage = prop_oneof![Just(8_u32), Just(16), Just(32), Just(64)];
    let shape = storage.prop_flat_map(|storage| (1..=storage, Just(storage)));
    let shape = shape.prop_flat_map(|(bits, storage)| (Just(bits), Just(storage), 0..=storage - bits));
    (shape, any::<bool>(), any::<bool>(), any::<u64>()).prop_map(|((bits, storage, shift), big, signed, stored)| {
        let (endian, sign) = (if big { "be" } else { "le" }, if signed { 's' } else { 'u' });
        (format!("{endian}:{sign}{bits}/{storage}>>{shift}"), stored, bits, storage, shift, big, signed)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn every_type_is_decoded_bit_by_bit((text, stored, bits, storage, shift, big, signed) in any_type()) {
        let element: ElementType = text.parse().unwrap();
        let length = (storage / 8) as usize;
        prop_assert_eq!(element.size(), length);
        let bytes = if big { stored.to_be_bytes()[8 - length..].to_vec() } else { stored.to_le_bytes()[..length].to_vec() };
        // the value as the sum of its bits; the highest of a signed one counts negatively
        let bit = |place: u32| i128::from(stored >> (shift + place) & 1);
        let weight = |place: u32| if signed && place == bits - 1 { -(1_i128 << place) } else { 1 << place };
        let value: i128 = (0..bits).map(|place| bit(place) * weight(place)).sum();
        prop_assert_eq!(element.value(&bytes), value as f64, "{}", text);
        prop_assert_eq!(i128::from(element.integer(&bytes)), i128::from(value as i64), "{}", text);
    }

    #[test]
    fn a_layout_is_the_tightest_one_that_is_aligned(sizes in prop::collection::vec((0_usize..4, 0_u32..3), 1..12), turn in 0_usize..12) {
        let element = |&(storage, repeat): &(usize, u32)| -> ElementType {
            let bits = [8, 16, 32, 64][storage];
            format!("le:u{bits}/{bits}X{}>>0", 1 << repeat).parse().unwrap()
        };
        let mut elements: Vec<(u32, ElementType)> =
            sizes.iter().enumerate().map(|(index, size)| (index as u32, element(size))).collect();
        // given in another order than they lie in
        let turn = turn % elements.len();
        elements.rotate_left(turn);
        let layout = Layout::new(&elements).unwrap();
        // byte by byte: each element at the first place after the one before that is aligned
        let (mut next, mut largest) = (0, 1);
        for index in 0..elements.len() as u32 {
            let number = elements.iter().position(|(other, _)| *other == index).unwrap();
            let size = elements[number].1.size();
            while next % size != 0 { next += 1; }
            prop_assert_eq!(layout.offset(number), next);
            next += size;
            largest = largest.max(size);
        }
        while next % largest != 0 { next += 1; }
        prop_assert_eq!(layout.size(), next);
    }

    #[test]
    fn no_text_makes_the_type_panic(text in "(be|le)?:?[suf]?[0-9]{0,12}/?[0-9]{0,3}X?[0-9]{0,3}(>>)?[0-9]{0,12}", bytes in prop::collection::vec(any::<u8>(), 512..=512)) {
        if let Ok(element) = text.parse::<ElementType>() {
            prop_assert!(element.size() <= 512);
            let _ = (element.value(&bytes), element.integer(&bytes));
        }
    }
}

#[test]
fn floating_point_and_nonsense() {
    let value = |text: &str, bytes: &[u8]| text.parse::<ElementType>().unwrap().value(bytes);
    assert_eq!(value("be:f32/32>>0", &(-1.5_f32).to_be_bytes()), -1.5);
    assert_eq!(value("le:f64/64", &0.1_f64.to_le_bytes()), 0.1);
    assert_eq!(value("le:s12/16>>4", &0xfff7_u16.to_le_bytes()), -1.0);
    for text in [
        "",
        "be",
        "be:",
        "be:s16",
        "xe:s16/16>>0",
        "be:x16/16>>0",
        "be:s0/16>>0",
        "be:s17/16>>0",
        "be:s16/16>>1",
        "be:s16/16>>",
        "be:s16/16X3>>0",
        "be:s16/24>>0",
        "be:s16/128>>0",
        "be:f16/16>>0",
        "be:f32/64>>0",
        "be:s16/16>>-1",
        "be:s+16/16>>0",
        "be:s4294967297/16>>0",
        "be:s16/16>>4294967295",
        "be: s16/16",
        "bé:s16/16",
    ] {
        assert!(text.parse::<ElementType>().is_err(), "{text}");
    }
}
