//! Mistakes that homeservers make. A reference server has one of them or none; each is one visible branch in the code
//! that is right without it.

macro_rules! faults {
    ($($(#[doc = $doc:literal])+ $name:ident, $kebab:literal, $requirement:literal, [$($area:literal),+];)+) => {
        /// A mistake that a homeserver makes.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Fault {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Fault {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// Its permanent name.
            pub fn name(self) -> &'static str {
                match self { $(Self::$name => $kebab,)+ }
            }

            /// The requirement that it breaks.
            pub fn requirement(self) -> &'static str {
                match self { $(Self::$name => $requirement,)+ }
            }

            /// The areas of the suite that have to notice it.
            pub fn areas(self) -> &'static [&'static str] {
                match self { $(Self::$name => &[$($area),+],)+ }
            }

            /// What goes wrong, in a sentence.
            pub fn sentence(self) -> &'static str {
                match self { $(Self::$name => concat!($($doc),+).trim_ascii(),)+ }
            }
        }
    };
}

faults! {
    /// The signatures of events that arrive are not looked at.
    PduSignatureUnchecked, "pdu-signature-unchecked", "SS-PDU-020", ["events"];
    /// An event whose content hash does not match is kept with its content.
    ContentHashUnchecked, "content-hash-unchecked", "SS-PDU-021", ["events"];
    /// Requests of other servers are answered whoever signed them.
    RequestSignatureUnchecked, "request-signature-unchecked", "SS-AUTH-004", ["authentication"];
}

impl std::str::FromStr for Fault {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::ALL.iter().find(|fault| fault.name() == name);
        found.copied().ok_or_else(|| format!("no fault is called {name}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_unique_and_lead_back() {
        let names: BTreeSet<_> = Fault::ALL.iter().map(|fault| fault.name()).collect();
        assert_eq!(names.len(), Fault::ALL.len());
        for &fault in Fault::ALL {
            assert_eq!(fault.name().parse(), Ok(fault));
            assert!(fault.sentence().ends_with('.') && !fault.areas().is_empty());
        }
        assert!("no-such-thing".parse::<Fault>().is_err());
    }
}
