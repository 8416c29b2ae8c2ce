//! Pathname expansion (POSIX.1, 2.13.3): the names of the namespace that match a pattern, in order.

use super::pattern::Pattern;
use super::{Field, Mark};
use crate::process::{Held, used_up};
use crate::shell::{Outcome, Shell};
use vfs::{Follow, OpenFlags, Place};

/// A pattern's part between slashes.
enum Step {
    Name(Vec<u8>),
    Match(Pattern),
}

impl Shell {
    /// Adds what `field` comes to: the names that match it, or itself where it is no pattern or none does.
    pub(super) async fn names(
        &mut self,
        field: Field,
        arguments: &mut Vec<Vec<u8>>,
        held: &mut Held,
    ) -> Outcome {
        if self.options.has('f') || !field.is_pattern() {
            let text = field.text();
            let grown = held.grow(text.len() + 24);
            self.room(grown).await?;
            arguments.push(text);
            return Ok(());
        }
        let found = self.matching(&field.without_nothing(), held).await?;
        if found.is_empty() {
            arguments.push(field.text());
        } else {
            arguments.extend(found);
        }
        Ok(())
    }

    async fn matching(&mut self, field: &Field, held: &mut Held) -> Outcome<Vec<Vec<u8>>> {
        let absolute = field.bytes.first() == Some(&b'/');
        let steps = steps(field);
        let start = if absolute { self.setting.ns.root() } else { self.cwd.clone() };
        let shown = field.bytes.iter().take_while(|b| **b == b'/').copied().collect::<Vec<u8>>();
        // What is still to be looked at, the next last.
        let mut todo: Vec<(Place, Vec<u8>, usize)> = vec![(start, shown, 0)];
        let mut found = Vec::new();
        while let Some((place, shown, at)) = todo.pop() {
            if used_up() {
                tokio::task::yield_now().await;
            }
            let Some((step, slashes)) = steps.get(at) else {
                let grown = held.grow(shown.len() + 32);
                self.room(grown).await?;
                found.push(shown);
                continue;
            };
            let last = at + 1 == steps.len();
            let follow = if last && slashes.is_empty() { Follow::No } else { Follow::Yes };
            let next = |name: &[u8]| [&shown[..], name, slashes].concat();
            match step {
                Step::Name(name) if name.is_empty() => todo.push((place, next(name), at + 1)),
                Step::Name(name) => {
                    if let Ok(there) = place.resolve(&self.who, name, follow).await
                        && (slashes.is_empty() || there.kind().is_dir())
                    {
                        todo.push((there, next(name), at + 1));
                    }
                }
                Step::Match(pattern) => {
                    let mut names = self.listed(&place, pattern).await;
                    names.sort();
                    let grown = held.grow(names.iter().map(|name| name.len() + 24).sum());
                    self.room(grown).await?;
                    for name in names.iter().rev() {
                        if last && slashes.is_empty() {
                            todo.push((place.clone(), next(name), at + 1));
                        } else if let Ok(there) = place.resolve(&self.who, name, Follow::Yes).await
                            && there.kind().is_dir()
                        {
                            todo.push((there, next(name), at + 1));
                        }
                    }
                }
            }
        }
        found.sort();
        Ok(found)
    }

    /// The names in a directory that match; none where it cannot be read.
    async fn listed(&self, dir: &Place, pattern: &Pattern) -> Vec<Vec<u8>> {
        let mut names = Vec::new();
        let flags = OpenFlags::READ | OpenFlags::DIRECTORY;
        let Ok(open) = dir.open(&self.who, flags).await else { return names };
        let mut cookie = 0;
        loop {
            let (mut any, before) = (0, cookie);
            let mut sink = |entry: vfs::DirEntry<'_>| {
                cookie = entry.cookie;
                any += 1;
                let name = entry.name.as_bytes();
                if (name[0] != b'.' || pattern.begins_with_dot()) && pattern.matches(name) {
                    names.push(name.to_vec());
                }
                any < 1000
            };
            let listed = open.readdir(before, &mut sink).await;
            if listed.is_err() || cookie == before {
                return names;
            }
            if used_up() {
                tokio::task::yield_now().await;
            }
        }
    }
}

/// A pattern cut at its slashes: each part with the slashes behind it.
fn steps(field: &Field) -> Vec<(Step, Vec<u8>)> {
    let mut steps = Vec::new();
    let mut at = field.bytes.iter().take_while(|b| **b == b'/').count();
    while at < field.bytes.len() {
        let end = field.bytes[at..].iter().position(|b| *b == b'/').map_or(field.bytes.len(), |end| at + end);
        let part = Field { bytes: field.bytes[at..end].to_vec(), marks: field.marks[at..end].to_vec() };
        let slashes = field.bytes[end..].iter().take_while(|b| **b == b'/').count();
        let step = if part.is_pattern() {
            Step::Match(Pattern::new(&part.bytes, &|at| part.marks[at] == Mark::Quoted))
        } else {
            Step::Name(part.bytes)
        };
        steps.push((step, vec![b'/'; slashes]));
        at = end + slashes;
    }
    steps
}
