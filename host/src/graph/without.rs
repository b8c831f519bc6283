//! A graph without some of its classes: the rows of its last node are left out, nothing else changes.
//! A board can be taught them again, by their attributes.

use anyhow::{Result, bail, ensure};

use super::{Graph, Matrix, Op};

impl Graph {
    /// The same graph without the classes `names`: the last node's other scores are as they were.
    ///
    /// # Errors
    /// Where a name is no class, none would be left, or the last node has no row for each.
    pub fn without(&self, names: &[String]) -> Result<Graph> {
        let all: Vec<&str> = self.classes.iter().map(|class| class.name.as_str()).collect();
        for name in names {
            ensure!(all.contains(&name.as_str()), "there is no class {name:?} to leave out, but {}", all.join(", "));
        }
        let kept: Vec<usize> = (0..all.len()).filter(|&c| !names.iter().any(|name| name == all[c])).collect();
        ensure!(!kept.is_empty(), "none of {} classes would be left: leave fewer out", all.len());
        let rows =
            |m: &Matrix| Matrix::new(kept.len(), m.cols, kept.iter().flat_map(|&c| m.row(c).iter().copied()).collect());
        let values = |all: &[f32]| kept.iter().map(|&c| all[c]).collect::<Vec<f32>>();
        let mut graph = self.clone();
        graph.classes = kept.iter().map(|&c| self.classes[c].clone()).collect();
        match graph.nodes.last_mut().map(|node| &mut node.op) {
            Some(Op::Match { rows: table, handicaps, .. }) => (*table, *handicaps) = (rows(table), values(handicaps)),
            Some(Op::Dense { w, b, .. }) => (*w, *b) = (rows(w), values(b)),
            _ => bail!("the last node has no row for each class: no class can be left out"),
        }
        Ok(graph)
    }
}

#[cfg(test)]
mod tests {
    use crate::graph::{Class, Graph, Input, Matrix, Node, Op};

    fn graph() -> Graph {
        let w = Matrix::new(3, 2, vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        let nodes = [
            Op::Standardise { mean: vec![0.0; 2], deviation: vec![1.0; 2], clip: 9.0 },
            Op::Match { x: 0, rows: w, handicaps: vec![0.1, 0.2, 0.3] },
        ];
        let class = |name: &str| Class { name: name.into(), seen: true };
        Graph {
            family: "test".into(),
            input: Input::Vector(2),
            nodes: nodes.into_iter().map(|op| Node { name: "node".into(), op }).collect(),
            classes: ["a", "b", "c"].map(class).to_vec(),
        }
    }

    #[test]
    fn other_classes_keep_their_scores() {
        let (whole, part) = (graph(), graph().without(&["b".into()]).unwrap());
        part.shapes().unwrap();
        let (all, kept) = (whole.run(&[1.0, -2.0]), part.run(&[1.0, -2.0]));
        assert_eq!(kept[1], [all[1][0], all[1][2]]);
        assert_eq!(part.classes.iter().map(|class| class.name.as_str()).collect::<Vec<_>>(), ["a", "c"]);
    }

    #[test]
    fn what_cannot_be_left_out_is_said() {
        let error = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|name| name.to_string()).collect();
            graph().without(&names).unwrap_err().to_string()
        };
        assert!(error(&["d"]).contains("no class \"d\""));
        assert!(error(&["a", "b", "c"]).contains("none of 3 classes would be left"));
    }
}
