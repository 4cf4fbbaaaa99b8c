//! Formats of certificate documents.

codes! {
    /// The format of a certificate document. All of them are PDFs.
    #[derive(Default)]
    DocumentForm,
    /// The suffix of the file name, in Indonesian.
    file_suffix: &'static str {
        /// The A4 page, followed by the front and back of the card.
        #[default]
        Complete = "complete" => "",
        /// The A4 page.
        A4 = "a4" => "-a4",
        /// The front and back of the card, in ID-1 size.
        Card = "card" => "-kartu",
        /// Ten cards on A4 with crop marks: a page of fronts and a page of backs.
        CardSheet = "card-sheet" => "-lembar-kartu",
    }
}
