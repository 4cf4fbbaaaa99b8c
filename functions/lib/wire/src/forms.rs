//! The forms in which a certificate can be had, all of them PDFs.

macro_rules! document_forms {
    ($($(#[$doc:meta])* $name:ident = $code:literal $file:literal),* $(,)?) => {
        /// A form in which a certificate can be had.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
        pub enum DocumentForm { $($(#[$doc])* $name),* }

        impl DocumentForm {
            /// Every form.
            pub const ALL: &[DocumentForm] = &[$(DocumentForm::$name),*];

            /// Its code in requests.
            pub fn code(self) -> &'static str {
                match self { $(DocumentForm::$name => $code),* }
            }

            /// What it adds to the name of the file, in Indonesian.
            pub fn file_suffix(self) -> &'static str {
                match self { $(DocumentForm::$name => $file),* }
            }
        }
    };
}

document_forms! {
    /// The A4 page, then front and back of the card.
    #[default]
    Complete = "complete" "",
    /// The A4 page.
    A4 = "a4" "-a4",
    /// Front and back of the card, ID-1.
    Card = "card" "-kartu",
    /// Ten cards on A4 with crop marks, fronts and backs.
    CardSheet = "card-sheet" "-lembar-kartu",
}

impl DocumentForm {
    /// The form of a code.
    ///
    /// ```
    /// use bukti_wire::DocumentForm;
    /// assert_eq!(DocumentForm::of_code("card-sheet"), Some(DocumentForm::CardSheet));
    /// assert_eq!(DocumentForm::of_code("poster"), None);
    /// ```
    pub fn of_code(code: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|form| form.code() == code)
    }
}
