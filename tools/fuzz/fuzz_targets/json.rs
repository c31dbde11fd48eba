//! Mutations of JSON as a tree. Those of plain bytes mostly yield what is no JSON any more, and hardly ever a number at
//! the edge of what can be.

use libfuzzer_sys::fuzzer_mutate;
use serde_json::{Value, json};

use crate::shared::Random;

/// Mutates the `size` bytes of JSON at the start of `data`, as a tree or, now and then and where they are none, as bytes;
/// returns how many there are then.
pub fn mutate(data: &mut [u8], size: usize, max_size: usize, seed: u32) -> usize {
    let mut random = Random(u64::from(seed));
    let tree = serde_json::from_slice::<Value>(&data[..size]);
    let Some(mut tree) = tree.ok().filter(|_| random.below(8) > 0) else {
        return fuzzer_mutate(data, size, max_size);
    };
    for _ in 0..=random.below(3) {
        let donor = node(&mut tree.clone(), &mut random).clone();
        change(node(&mut tree, &mut random), donor, &mut random);
    }
    match serde_json::to_vec(&tree) {
        Ok(text) if text.len() <= max_size => {
            data[..text.len()].copy_from_slice(&text);
            text.len()
        }
        _ => fuzzer_mutate(data, size, max_size),
    }
}

/// Any node of `tree`.
fn node<'a>(tree: &'a mut Value, random: &mut Random) -> &'a mut Value {
    fn count(tree: &Value) -> u64 {
        1 + match tree {
            Value::Array(items) => items.iter().map(count).sum(),
            Value::Object(fields) => fields.values().map(count).sum(),
            _ => 0,
        }
    }
    fn nth(tree: &mut Value, place: u64) -> &mut Value {
        if place == 0 {
            return tree;
        }
        let mut before = 1;
        let children: Vec<&mut Value> = match tree {
            Value::Array(items) => items.iter_mut().collect(),
            Value::Object(fields) => fields.values_mut().collect(),
            _ => unreachable!("a leaf is one node"),
        };
        for child in children {
            let inside = count(child);
            if place < before + inside {
                return nth(child, place - before);
            }
            before += inside;
        }
        unreachable!("the place lies within the tree")
    }
    let place = random.below(count(tree));
    nth(tree, place)
}

fn change(node: &mut Value, donor: Value, random: &mut Random) {
    if random.below(16) == 0 {
        *node = donor;
        return;
    }
    match node {
        Value::Number(number) => *node = other(number.as_f64().unwrap_or(0.0), random),
        Value::Bool(_) | Value::Null => {
            *node = [json!(true), json!(false), json!(0), donor][random.below(4) as usize].take()
        }
        Value::String(text) => match random.below(4) {
            0 => text.clear(),
            1 => text.push(['\u{0}', '/', 'é', '\n', '1'][random.below(5) as usize]),
            _ => *node = donor,
        },
        Value::Array(items) => {
            let place = random.below(items.len().max(1) as u64) as usize;
            match random.below(4) {
                0 => items.clear(),
                1 if place < items.len() => drop(items.remove(place)),
                2 if place < items.len() => items.push(items[place].clone()),
                _ => items.push(donor),
            }
        }
        Value::Object(fields) => {
            let keys: Vec<_> = fields.keys().cloned().collect();
            let Some(key) = keys.get(random.below(keys.len().max(1) as u64) as usize) else { return };
            if random.below(3) == 0 { drop(fields.remove(key)) } else { drop(fields.insert(key.clone(), donor)) }
        }
    }
}

/// A number near `number`, or at the edge of something.
fn other(number: f64, random: &mut Random) -> Value {
    const EDGES: [f64; 16] =
        [0.0, -0.0, 1.0, -1.0, 0.5, 2.0, 3.0, 1e-9, 5e-324, 1e-45, 3.5e38, 1e300, f64::MAX, f64::MIN, 1e6, 60_000.0];
    match random.below(8) {
        0 => json!(u64::MAX >> (random.below(64))),
        1 => json!(i64::MIN),
        2 => json!((number as i64).saturating_add(1)),
        3 => json!((number as i64).saturating_sub(1)),
        4 => json!(number * [0.5, 2.0, -1.0, 1.01, 1000.0, 1e-3][random.below(6) as usize]),
        5 => json!(random.below(300)),
        _ => json!(EDGES[random.below(16) as usize]),
    }
}
