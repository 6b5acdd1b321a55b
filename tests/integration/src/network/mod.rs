//! Which network setting holds on which leg, measured on real servers.
//!
//! Several walks over all the legs fill the table. What no walk saw is no cell: nothing is assumed.
//!
//! 1. Everything is configured at once, as a person does it, and the servers have names that only the proxy knows. What they
//!    record says which legs came with the client certificate, the headers and the User-Agent, and through the proxy. There
//!    is one such walk through a proxy in the clear, where the private authority is one more, and one through a proxy over
//!    TLS, where it is the only one.
//! 2. One leg at a time is spoilt: it alone does not know the private authority, or no longer the one that stands in for
//!    the system's, or keeps to the address rules where all servers are near. No server sees that leg.
//! 3. One leg at a time is answered too late: that leg ends with the time-out.

mod addresses;
mod configured;
mod drive;
mod late;
mod leg;
mod servers;
mod setting;
mod spoilt;
mod trust;

use std::{collections::BTreeMap, fmt};

pub use leg::Leg;
pub use setting::Setting;

/// Whether each setting holds on each leg.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Matrix(BTreeMap<(Leg, Setting), Cell>);

/// What was measured of one setting on one leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cell {
    /// It holds.
    Yes,
    /// It does not.
    No,
    /// It has no part there: the request is a browser's, over the browser's own network.
    Elsewhere,
}

impl Matrix {
    /// Measures every cell.
    pub async fn measure() -> Self {
        let (clear, secure, others) = tokio::join!(
            Box::pin(configured::walk(configured::Network::HttpProxy)),
            Box::pin(configured::walk(configured::Network::HttpsProxy)),
            Box::pin(Self::measure_one_leg_at_a_time(true)),
        );
        let mut matrix = Self::default();
        // A setting holds if it does so in each walk that it is part of; trust is also withheld in turn.
        for part in [clear, secure, others] {
            matrix.add(part);
        }
        matrix.settle_the_page();
        matrix
    }

    /// The same where nothing of it is configured: what shows that each cell can say no. The world's own authority is the
    /// system's there.
    pub async fn measure_unconfigured() -> Self {
        let (bare, others) = tokio::join!(
            Box::pin(configured::walk(configured::Network::Bare)),
            Box::pin(Self::measure_one_leg_at_a_time(false)),
        );
        let mut matrix = bare;
        matrix.add(others);
        matrix.settle_the_page();
        matrix
    }

    /// The settings that show only where they are taken from one leg; nowhere if not `configured`.
    async fn measure_one_leg_at_a_time(configured: bool) -> Self {
        let (untrusted, replaced, near) = tokio::join!(
            Box::pin(trust::without_the_private_authority(configured)),
            Box::pin(trust::without_the_systems(configured)),
            Box::pin(addresses::walk(configured)),
        );
        // Alone: what the others have to do must not be what is late.
        let late = Box::pin(late::walk(configured)).await;
        let mut matrix = Self::default();
        for (setting, walk) in [
            (Setting::PrivateCa, untrusted),
            (Setting::ReplacedRoots, replaced),
            (Setting::AddressRule, near),
            (Setting::TimeOut, late),
        ] {
            for (leg, holds) in walk {
                matrix.0.insert((leg, setting), holds.into());
            }
        }
        matrix
    }

    /// Joins what another walk saw: of two verdicts on one cell the worse one counts.
    fn add(&mut self, other: Self) {
        for (key, cell) in other.0 {
            let known = self.0.entry(key).or_insert(cell);
            if cell == Cell::No {
                *known = cell;
            }
        }
    }

    /// What is the browser's own affair, where no walk saw a trace of ours.
    fn settle_the_page(&mut self) {
        for setting in Setting::ALL {
            let key = (Leg::AuthorizationPage, setting);
            if setting != Setting::AddressRule {
                self.0.entry(key).or_insert(Cell::Elsewhere);
            }
        }
    }

    /// One cell; `None` if nothing was seen of it.
    pub fn cell(&self, leg: Leg, setting: Setting) -> Option<Cell> {
        self.0.get(&(leg, setting)).copied()
    }

    /// A page of Markdown with the table between its markers replaced by this one.
    ///
    /// # Errors
    /// The page has no markers.
    pub fn into_page(&self, page: &str) -> Result<String, &'static str> {
        let missing = "the page has no table: the markers are missing";
        let (before, rest) = page.split_once(BEGIN).ok_or(missing)?;
        let (_, after) = rest.split_once(END).ok_or(missing)?;
        Ok(format!("{before}{BEGIN}\n{self}{END}{after}"))
    }
}

impl From<bool> for Cell {
    fn from(holds: bool) -> Self {
        if holds { Self::Yes } else { Self::No }
    }
}

impl fmt::Display for Matrix {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "| leg |")?;
        for setting in Setting::ALL {
            write!(out, " {setting} |")?;
        }
        writeln!(out, "\n|---|{}", "---|".repeat(Setting::ALL.len()))?;
        for leg in Leg::ALL {
            write!(out, "| {leg} |")?;
            for setting in Setting::ALL {
                let cell = match self.cell(leg, setting) {
                    Some(Cell::Yes) => "yes",
                    Some(Cell::No) => "no",
                    Some(Cell::Elsewhere) => "–",
                    None => "not seen",
                };
                write!(out, " {cell} |")?;
            }
            writeln!(out)?;
        }
        Ok(())
    }
}

const BEGIN: &str = "<!-- begin: measured by the integration tests -->";
const END: &str = "<!-- end -->";
