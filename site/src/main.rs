//! Mounts the site in place of the page that was readable before.

fn main() {
    bukti_site::start();
}
