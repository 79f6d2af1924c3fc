//! KB numbers and builds.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Error;

/// The most digits of a KB number.
const MAX_KB_DIGITS: usize = 8;

/// The number of a Microsoft knowledge base article, which names an update: `KB5070893`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Kb(u32);

impl Kb {
    /// The bare number, as `kbNumbersToInclude` takes it.
    pub fn number(self) -> u32 {
        self.0
    }
}

impl fmt::Display for Kb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KB{}", self.0)
    }
}

impl FromStr for Kb {
    type Err = Error;

    /// Reads `KB5070893`, `kb5070893` and `5070893`.
    fn from_str(text: &str) -> Result<Kb, Error> {
        let wrong = || Error::Kb {
            text: text.to_owned(),
        };
        let trimmed = text.trim();
        let digits = match trimmed.get(..2) {
            Some(prefix) if prefix.eq_ignore_ascii_case("kb") => &trimmed[2..],
            _ => trimmed,
        };
        let plain = digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0');
        if !plain || digits.len() > MAX_KB_DIGITS {
            return Err(wrong());
        }
        digits.parse().map(Kb).map_err(|_| wrong())
    }
}

impl From<Kb> for String {
    fn from(kb: Kb) -> String {
        kb.to_string()
    }
}

impl TryFrom<String> for Kb {
    type Error = Error;

    fn try_from(text: String) -> Result<Kb, Error> {
        text.parse()
    }
}

/// An operating system build and revision, such as `26100.6905`. Orders by build, then revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Build {
    build: u32,
    revision: u32,
}

impl Build {
    /// The build, which a product keeps: 20348 for WS2022, 26100 for WS2025.
    pub fn build(self) -> u32 {
        self.build
    }

    /// The revision, which every update raises (`UBR` in the guest's registry).
    pub fn revision(self) -> u32 {
        self.revision
    }
}

impl fmt::Display for Build {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.build, self.revision)
    }
}

impl FromStr for Build {
    type Err = Error;

    /// Reads `26100.6905` and `10.0.26100.6905`, as guests report it.
    fn from_str(text: &str) -> Result<Build, Error> {
        let wrong = || Error::Build {
            text: text.to_owned(),
        };
        let bare = text.strip_prefix("10.0.").unwrap_or(text);
        let (build, revision) = bare.split_once('.').ok_or_else(wrong)?;
        let number = |part: &str| {
            let plain = !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
            if plain {
                part.parse::<u32>().map_err(|_| wrong())
            } else {
                Err(wrong())
            }
        };
        Ok(Build {
            build: number(build)?,
            revision: number(revision)?,
        })
    }
}

impl From<Build> for String {
    fn from(build: Build) -> String {
        build.to_string()
    }
}

impl TryFrom<String> for Build {
    type Error = Error;

    fn try_from(text: String) -> Result<Build, Error> {
        text.parse()
    }
}
