//! Blocks on disk: the rows of two stripes that share a key.
//!
//! ```text
//! na << 16 | nb (u32) if both are below 2^16, else 0 and na, nb (u32 each)
//! na rows of stripe a, nb rows of stripe b (u32 each, from the stripe's first row, ascending)
//! ```
//!
//! Numbers are little-endian.

/// A block as it lies in an extent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Block<'a> {
    pub rows_a: &'a [[u8; 4]],
    pub rows_b: &'a [[u8; 4]],
}

/// Appends a block; `first_a` and `first_b` are the first rows of the stripes.
pub(crate) fn put(
    (rows_a, first_a): (&[u32], u32),
    (rows_b, first_b): (&[u32], u32),
    out: &mut Vec<u8>,
) {
    let (na, nb) = (rows_a.len() as u32, rows_b.len() as u32);
    if na < 1 << 16 && nb < 1 << 16 {
        out.extend_from_slice(&(na << 16 | nb).to_le_bytes());
    } else {
        for number in [0, na, nb] {
            out.extend_from_slice(&number.to_le_bytes());
        }
    }
    for row in rows_a {
        out.extend_from_slice(&(row - first_a).to_le_bytes());
    }
    for row in rows_b {
        out.extend_from_slice(&(row - first_b).to_le_bytes());
    }
}

/// Takes the next block from the front of `rest`; `None` when there is no whole block.
pub(crate) fn take<'a>(rest: &mut &'a [u8]) -> Option<Block<'a>> {
    let mut number = || {
        let (head, tail) = rest.split_first_chunk()?;
        *rest = tail;
        Some(u32::from_le_bytes(*head))
    };
    let (na, nb) = match number()? {
        0 => (number()?, number()?),
        both => (both >> 16, both & 0xffff),
    };
    let mut rows = |count: u32| {
        let (head, tail) = rest.split_at_checked(count as usize * 4)?;
        *rest = tail;
        Some(head.as_chunks().0)
    };
    Some(Block {
        rows_a: rows(na)?,
        rows_b: rows(nb)?,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rows(rows: &[[u8; 4]]) -> Vec<u32> {
        rows.iter().map(|row| u32::from_le_bytes(*row)).collect()
    }

    #[test]
    fn small_and_large_blocks_are_read_as_written() {
        let entries = |count: u32| -> Vec<u32> { (7..7 + count).collect() };
        let mut bytes = vec![];
        let sizes = [(1, 1), (3, 70_000), (70_000, 1), (65_535, 65_535)];
        for (na, nb) in sizes {
            put((&entries(na), 7), (&entries(nb), 5), &mut bytes);
        }
        let mut rest = bytes.as_slice();
        for (na, nb) in sizes {
            let block = take(&mut rest).unwrap();
            assert_eq!(rows(block.rows_a), (0..na).collect::<Vec<_>>());
            assert_eq!(rows(block.rows_b), (2..2 + nb).collect::<Vec<_>>());
        }
        assert!(rest.is_empty());
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_do_not_panic(bytes in prop::collection::vec(any::<u8>(), 0..99)) {
            let mut rest = bytes.as_slice();
            while take(&mut rest).is_some() {}
        }
    }
}
