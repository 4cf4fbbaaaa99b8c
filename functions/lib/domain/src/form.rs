//! Formats of certificate documents.

codes! {
    /// The format of a certificate document. Every format is a PDF.
    #[derive(Default)]
    DocumentForm,
    /// The Indonesian suffix of the file name; empty for the complete document.
    file_suffix: &'static str {
        /// The A4 page, followed by the front and back of the card.
        #[default]
        Complete = "complete" => "",
        /// The A4 page.
        A4 = "a4" => "-a4",
        /// The front and back of the card, in ID-1 size.
        Card = "card" => "-kartu",
        /// Ten cards on A4 with crop marks: one page of fronts and one page of backs.
        CardSheet = "card-sheet" => "-lembar-kartu",
    }
}
