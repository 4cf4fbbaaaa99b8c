//! Line icons on a grid of 24 × 24 units.

use leptos::prelude::*;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Symbol {
    /// A tick in a circle.
    Good,
    /// A clock.
    Waiting,
    /// An exclamation mark in a triangle.
    Wrong,
    /// A telephone receiver.
    Phone,
    /// An envelope.
    Mail,
    /// An arrow into a tray.
    Download,
    /// A question mark in a circle.
    Help,
    /// A house.
    Home,
    /// A person.
    Person,
    /// The corners of a viewfinder with a scan line.
    Scan,
    /// A photograph.
    Picture,
    /// A pencil.
    Pencil,
    /// A chevron to the right.
    Forward,
}

impl Symbol {
    fn lines(self) -> &'static str {
        match self {
            Symbol::Good => r#"<circle cx="12" cy="12" r="9"/><path d="m8 12.5 2.8 2.8L16 9.5"/>"#,
            Symbol::Waiting => r#"<circle cx="12" cy="12" r="9"/><path d="M12 7v5l3.5 2"/>"#,
            Symbol::Wrong => r#"<path d="M12 3.5 2.5 20h19zM12 10v4.5M12 17.2v.1"/>"#,
            Symbol::Phone => {
                r#"<path d="M6.5 3.5h3l1.5 4.5-2 1.5a12 12 0 0 0 5.5 5.5l1.5-2 4.5 1.5v3c0 1.5-1 2.5-2.5 2.5A16 16 0 0 1 4 6c0-1.5 1-2.5 2.5-2.5z"/>"#
            }
            Symbol::Mail => {
                r#"<rect x="3" y="5" width="18" height="14" rx="2"/><path d="m3.5 7 8.5 6 8.5-6"/>"#
            }
            Symbol::Download => r#"<path d="M12 4v11m-4.5-4.5L12 15l4.5-4.5M4.5 19.5h15"/>"#,
            Symbol::Help => {
                r#"<circle cx="12" cy="12" r="9"/><path d="M9.5 9.5a2.5 2.5 0 1 1 3.5 2.3c-.7.4-1 .9-1 1.7M12 16.7v.1"/>"#
            }
            Symbol::Home => r#"<path d="m3.5 11 8.5-7 8.5 7M6 9.5V20h12V9.5M10 20v-6h4v6"/>"#,
            Symbol::Person => r#"<circle cx="12" cy="8" r="4"/><path d="M4 20.5c.8-4 4-6 8-6s7.2 2 8 6"/>"#,
            Symbol::Scan => r#"<path d="M4 8V4h4M16 4h4v4M20 16v4h-4M8 20H4v-4M4 12h16"/>"#,
            Symbol::Picture => {
                r#"<rect x="3" y="5" width="18" height="14" rx="2"/><path d="m3.5 17 5-5 3.5 3.5 3-3 5.5 5M15.5 9v.1"/>"#
            }
            Symbol::Pencil => r#"<path d="M4 20l1-4.5L16.5 4l3.5 3.5L8.5 19zM14 6.5l3.5 3.5"/>"#,
            Symbol::Forward => r#"<path d="m9 5 7 7-7 7"/>"#,
        }
    }
}

/// An icon. It is hidden from screen readers, because the text next to it has the same meaning.
#[component]
pub fn Icon(symbol: Symbol) -> impl IntoView {
    view! { <svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false" inner_html=symbol.lines()></svg> }
}
