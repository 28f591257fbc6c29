//! Phrases over which a reader stumbles, and British spellings.

use super::Finding;
use super::prose::{CODE, Paragraph, Source, Word, paragraphs};

/// This file, which has to name them.
const HERE: &str = "xtask/src/tidy/phrases.rs";

/// One way to make a reader stumble.
struct Phrase {
    shown: &'static str,
    instead: &'static str,
    /// Whether it starts at this word of the paragraph.
    starts: fn(&Paragraph, usize) -> bool,
}

const PHRASES: [Phrase; 9] = [
    Phrase {
        shown: "so many",
        instead: "the noun and its number, as in `maximum windows per epoch`",
        starts: |text, at| {
            count(text, at, "many")
                || text.word(at) == "so" && text.word(at + 1).starts_with("manyth")
        },
    },
    Phrase {
        shown: "so long",
        instead: "the noun, as in `time between checkpoints`",
        starts: |text, at| count(text, at, "long") && text.word(at + 2) != "as",
    },
    Phrase {
        shown: "what stands in",
        instead: "`the content of`, or the noun",
        starts: |text, at| text.words(at, &["what", "stands", "in"]),
    },
    Phrase {
        shown: "hang together",
        instead: "`depend on each other` or `are correlated`",
        starts: |text, at| {
            ["hang", "hangs", "hanging"].contains(&text.word(at)) && text.word(at + 1) == "together"
        },
    },
    Phrase { shown: "anew", instead: "`again`", starts: |text, at| text.word(at) == "anew" },
    Phrase { shown: "less", instead: "`minus` for a difference", starts: subtracts },
    Phrase {
        shown: "What …",
        instead: "the noun first: a comment that opens with `What` does not name its subject",
        starts: |text, at| {
            text.source == Source::Comment && at == 0 && text.word(0) == "what" && !text.asks(0)
        },
    },
    Phrase {
        shown: "Of the …",
        instead: "a whole sentence, with its subject first",
        starts: |text, at| {
            let opens = at == 0 || matches!(text.words[at - 1].mark, Some('.' | '?' | '!'));
            let of = text.words(at, &["of", "the"]) || text.words(at, &["of", "its"]);
            let whole = || text.sentence(at).iter().any(|word| word.mark == Some(','));
            text.source != Source::Message && opens && of && !text.asks(at) && !whole()
        },
    },
    Phrase {
        shown: "is none",
        instead: "`is not one`, or say what it is",
        starts: |text, at| {
            text.words(at, &["is", "none"])
                && text.word(at + 2) != "of"
                && !(at > 0 && text.word(at - 1) == "there")
        },
    },
];

/// `so many` and the like as a stand-in for a number, not as in `so many that …`.
fn count(text: &Paragraph, at: usize, word: &str) -> bool {
    let consequence = || text.sentence(at).iter().take(9).any(|word| word.text == "that");
    let negated = || at > 0 && ["not", "quite", "ever"].contains(&text.word(at - 1));
    text.words(at, &["so", word]) && !consequence() && !negated()
}

/// `X less Y's`, `X less theirs` and `a` less `b` for a difference; not `less than`, `no less`.
fn subtracts(text: &Paragraph, at: usize) -> bool {
    let before = if at > 0 { text.word(at - 1) } else { "" };
    if text.word(at) != "less" || ["", "no", "or", "much", "far", "even", "the"].contains(&before) {
        return false;
    }
    if ["theirs", "its", "ours", "hers"].contains(&text.word(at + 1)) {
        return true;
    }
    if before.starts_with(CODE) && text.word(at + 1).starts_with(CODE) {
        return true;
    }
    let next = (1..=3).map(|step| text.word(at + step));
    let owner = |word: &str| {
        word.ends_with("'s") && !["it's", "that's", "there's", "what's"].contains(&word)
    };
    let mut near = next.take_while(|word| !["than", "of", "", "often"].contains(word));
    near.any(owner)
}

impl Paragraph {
    /// The word at a place, empty behind the last.
    fn word(&self, at: usize) -> &str {
        self.words.get(at).map_or("", |word| &word.text)
    }

    fn words(&self, at: usize, expected: &[&str]) -> bool {
        expected.iter().enumerate().all(|(step, word)| self.word(at + step) == *word)
    }

    /// The words from a place to the end of its sentence.
    fn sentence(&self, at: usize) -> &[Word] {
        let rest = &self.words[at..];
        let end = rest.iter().position(Word::ends_sentence).map_or(rest.len(), |last| last + 1);
        &rest[..end]
    }

    fn asks(&self, at: usize) -> bool {
        self.sentence(at).last().is_some_and(|word| word.mark == Some('?'))
    }
}

/// Stems whose verbs end in `-ize` in American spelling.
const IZE: [&str; 44] = [
    "general",
    "normal",
    "denormal",
    "standard",
    "optim",
    "initial",
    "summar",
    "regular",
    "real",
    "recogn",
    "local",
    "serial",
    "deserial",
    "central",
    "minim",
    "maxim",
    "parameter",
    "reparameter",
    "vector",
    "quant",
    "discret",
    "util",
    "visual",
    "organ",
    "reorgan",
    "character",
    "emphas",
    "special",
    "stabil",
    "synchron",
    "marginal",
    "random",
    "factor",
    "linear",
    "custom",
    "final",
    "harmon",
    "penal",
    "critic",
    "token",
    "capital",
    "categor",
    "symbol",
    "memor",
];

/// Endings of British verbs in `-ise`.
const ISE: [&str; 8] = ["ise", "ises", "ised", "ising", "isation", "isations", "iser", "isers"];

/// Other British words, with what an American writes.
const BRITISH: [(&str, &str); 29] = [
    ("analyse", "analyze"),
    ("analysed", "analyzed"),
    ("analysing", "analyzing"),
    ("artefact", "artifact"),
    ("artefacts", "artifacts"),
    ("behaviour", "behavior"),
    ("behaviours", "behaviors"),
    ("centre", "center"),
    ("centred", "centered"),
    ("centres", "centers"),
    ("colour", "color"),
    ("coloured", "colored"),
    ("colours", "colors"),
    ("defence", "defense"),
    ("favour", "favor"),
    ("favours", "favors"),
    ("fulfil", "fulfill"),
    ("grey", "gray"),
    ("honour", "honor"),
    ("honours", "honors"),
    ("judgement", "judgment"),
    ("labelled", "labeled"),
    ("labelling", "labeling"),
    ("licence", "license"),
    ("modelled", "modeled"),
    ("modelling", "modeling"),
    ("neighbour", "neighbor"),
    ("neighbouring", "neighboring"),
    ("neighbours", "neighbors"),
];

fn american(word: &str) -> Option<String> {
    if let Some((_, american)) = BRITISH.iter().find(|(british, _)| *british == word) {
        return Some((*american).to_owned());
    }
    let stem = word.strip_prefix("un").unwrap_or(word);
    let ending = IZE.iter().find_map(|start| stem.strip_prefix(start))?;
    ISE.contains(&ending).then(|| {
        let start = &word[..word.len() - ending.len()];
        format!("{start}{}", ending.replacen("is", "iz", 1))
    })
}

/// Phrases and spellings to rewrite in one file.
pub(super) fn check(path: &str, text: &str) -> Vec<Finding> {
    if path == HERE {
        return Vec::new();
    }
    paragraphs(path, text).iter().flat_map(|paragraph| stumbles(path, paragraph)).collect()
}

fn stumbles(path: &str, text: &Paragraph) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (at, word) in text.words.iter().enumerate() {
        let place = format!("{path}:{}", word.line);
        for phrase in PHRASES.iter().filter(|phrase| (phrase.starts)(text, at)) {
            let problem = format!("\"{}\": write {}", phrase.shown, phrase.instead);
            findings.push(Finding::new(&place, problem));
        }
        for part in word.text.split('-') {
            if let Some(american) = american(part) {
                findings.push(Finding::new(&place, format!("\"{part}\": write `{american}`")));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<String> {
        let comment: String = text.lines().map(|line| format!("/// {line}\n")).collect();
        let findings = check("a.rs", &comment);
        findings
            .iter()
            .map(|f| f.to_string())
            .map(|text| text.replace("error: a.rs:", ""))
            .collect()
    }

    #[test]
    fn each_phrase_is_found_with_its_line_and_its_remedy() {
        for (text, shown) in [
            ("At most so many windows.", "so many"),
            ("Rows, of which every so manyth is read.", "so many"),
            ("After so\nlong it saves.", "so long"),
            ("What is left of it.", "What …"),
            ("Reads what stands in the file.", "what stands in"),
            ("How values hang together.", "hang together"),
            ("It is drawn anew.", "anew"),
            ("The model's CRPS less theirs.", "less"),
            ("The CRPS less the best baseline's.", "less"),
            ("The value less its mean.", "less"),
            ("It is `a` less `b`.", "less"),
            ("A row. Of its cells the first.", "Of the …"),
            ("An empty cell is none.", "is none"),
        ] {
            let found = found(text);
            assert!(!found.is_empty(), "{text}");
            assert!(found[0].contains(&format!("\"{shown}\": write ")), "{text}: {found:?}");
        }
        assert!(found("One\ntwo so\nmany.")[0].starts_with("2: \"so many\""));
    }

    #[test]
    fn good_english_is_left_alone() {
        for text in [
            "There are so many windows that a pass takes hours.",
            "It waits so long as the lock is held; not so many.",
            "No less than the model's score, and less often than the baseline's.",
            "It takes less memory than a model's gradients, or less.",
            "What does it cost? It says what a step costs.",
            "Of the 14 cells, three failed. Most of the cells passed.",
            "Where there is none, it is none of the user's business.",
            "`so many anew` in code.",
            "A rise, a promise, an exercise, precise, raised, otherwise, noise, denoise.",
            "Of the two, the first. Is it of the form? Of the two?",
            "Analyses of the size, the center and the color.",
        ] {
            assert_eq!(found(text), [""; 0], "{text}");
        }
        assert!(check("a.md", "What you need.").is_empty(), "headings may open so");
    }

    #[test]
    fn british_spelling_is_found_with_the_american_one() {
        for (british, american) in [
            ("normalised", "normalized"),
            ("Reparameterisation", "reparameterization"),
            ("unrecognised", "unrecognized"),
            ("neighbours", "neighbors"),
            ("re-initialise", "initialize"),
        ] {
            let found = found(&format!("It is {british}."));
            assert!(found[0].ends_with(&format!("write `{american}`")), "{british}: {found:?}");
        }
    }

    #[test]
    fn messages_and_pages_are_read_and_code_is_not() {
        assert_eq!(check("a.rs", "fn anew() { bail!(\"start {x} anew\") }").len(), 1);
        assert_eq!(check("docs/a.md", "Start anew.\n\n```\nanew\n```\n").len(), 1);
        assert_eq!(check("a.rs", "fn f() { column(\"of the difference\") }").len(), 0);
        assert_eq!(check("a.csv", "anew").len(), 0);
    }
}
