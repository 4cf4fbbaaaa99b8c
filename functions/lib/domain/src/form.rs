//! The forms in which a certificate can be had, all of them PDFs.

codes! {
    /// A form in which a certificate can be had.
    #[derive(Default)]
    DocumentForm,
    /// What it adds to the name of the file, in Indonesian.
    file_suffix: &'static str {
        /// The A4 page, then front and back of the card.
        #[default]
        Complete = "complete" => "",
        /// The A4 page.
        A4 = "a4" => "-a4",
        /// Front and back of the card, ID-1.
        Card = "card" => "-kartu",
        /// Ten cards on A4 with crop marks, fronts and backs.
        CardSheet = "card-sheet" => "-lembar-kartu",
    }
}
