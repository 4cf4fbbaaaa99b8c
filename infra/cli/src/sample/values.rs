//! The values from which rows are generated: names, vaccines, phone prefixes and facilities.

/// Names with letters that are rare in Indonesia. One person in a hundred gets such a name.
pub(super) const RARE_NAMES: [&str; 4] = ["José", "Anna-Lena Müller", "Nguyễn Thị Hoa", "Björn Åkesson"];
pub(super) const GIVEN_NAMES: [&str; 31] = [
    "Siti",
    "Nur",
    "Budi",
    "Agus",
    "Sri",
    "Dewi",
    "Eko",
    "Rina",
    "Putu",
    "Made",
    "Ketut",
    "I Gusti Ayu",
    "Maria",
    "Yohanes",
    "Joko",
    "Fitri",
    "Hendra",
    "Lestari",
    "Rizki",
    "Ratna",
    "Asep",
    "Euis",
    "Daeng",
    "Tengku",
    "Ucok",
    "Butet",
    "Melati",
    "Slamet",
    "Wati",
    "Yusuf",
    "Nur'aini",
];
pub(super) const FAMILY_NAMES: [&str; 19] = [
    "",
    "Santoso",
    "Wijaya",
    "Siregar",
    "Nasution",
    "Hutapea",
    "Saputra",
    "Hidayat",
    "Lestari",
    "Kurniawan",
    "Pratama",
    "Tanjung",
    "Halim",
    "Ximenes",
    "Papilaya",
    "Wonda",
    "D'Souza",
    "Rahman",
    "Suryani",
];
pub(super) const VACCINES: [&str; 8] =
    ["CoronaVac", "Sinovac", "AstraZeneca", "Pfizer", "Moderna", "Sinopharm", "IndoVac", "Novavax"];
/// The digits after `08` that identify a mobile operator.
pub(super) const OPERATORS: [&str; 12] =
    ["11", "12", "13", "21", "22", "52", "57", "58", "77", "78", "81", "95"];
/// The first four digits of a NIK: the codes of province and regency. The district code follows.
pub(super) const REGENCIES: [&str; 16] = [
    "1101", "1271", "1371", "1671", "1871", "3171", "3173", "3273", "3374", "3471", "3578", "5171", "5301",
    "6371", "7371", "9171",
];
/// Facilities: code and name.
pub(super) const FACILITIES: [(&str, &str); 8] = [
    ("P3174020101", "Puskesmas Kebayoran Baru"),
    ("P5171010", "Puskesmas I Denpasar Barat"),
    ("P7371020", "Puskesmas Mamajang, Makassar"),
    ("R3578011", "RSUD Dr. Soetomo"),
    ("K3273090", "Klinik Pratama \"Sehat Bersama\", Bandung"),
    ("S3171001", "Sentra Vaksinasi Istora Senayan"),
    ("P9171030", "Puskesmas Abepura"),
    ("P1271040", "Puskesmas Medan Johor"),
];
