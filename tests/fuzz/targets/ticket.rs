//! Parses an arbitrary text as a ticket and as a certificate id. A parsed ticket must survive a
//! round trip.
#![no_main]

use bukti_domain::{TicketText, certificate_id_grouped, is_certificate_id};

const SITE: &str = "https://bukti.example";

libfuzzer_sys::fuzz_target!(|text: &str| {
    let grouped = certificate_id_grouped(text);
    if is_certificate_id(text) {
        assert_eq!(grouped.replace('-', ""), text);
    }
    for text in [text, &format!("#{text}"), &format!("{SITE}/tiket#{text}")] {
        let Some(ticket) = TicketText::parse(text) else { continue };
        assert!(is_certificate_id(&ticket.certificate_id) && (2..=9).contains(&ticket.dose_number));
        let address = ticket.address(SITE);
        assert_eq!(
            address.split_once('#').map(|(_, fragment)| fragment),
            text.split_once('#').map(|(_, fragment)| fragment)
        );
        assert_eq!(TicketText::parse(&address), Some(ticket));
    }
});
