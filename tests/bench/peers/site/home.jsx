// The home page's form in React, with the same HTML. It omits everything else that Bukti's home page
// has: texts in two languages, validation of name and NIK, the captcha's proof of work, and the other
// routes.

import { useState } from "react";
import { createRoot } from "react-dom/client";

function TextField({ name, label, value, onInput, ...rest }) {
  const id = `field-${name}`;
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <input id={id} name={name} className={name} type="text" spellCheck={false} value={value}
        onChange={(event) => onInput(event.target.value)} {...rest} />
    </div>
  );
}

function Home() {
  const [name, setName] = useState("");
  const [number, setNumber] = useState("");
  const [passport, setPassport] = useState(false);
  const [ticked, setTicked] = useState(false);
  const [answer, setAnswer] = useState(null);
  const send = async (event) => {
    event.preventDefault();
    const body = JSON.stringify({ name, [passport ? "passport" : "nik"]: number });
    setAnswer(await (await fetch("/api/status", { method: "POST", body })).text());
  };
  return (
    <form id="form" noValidate method="dialog" onSubmit={send}>
      <TextField name="name" label="Nama lengkap" value={name} onInput={setName} autoComplete="name" />
      <TextField name={passport ? "passport" : "nik"} label={passport ? "Nomor paspor" : "NIK (16 angka)"}
        value={number} onInput={setNumber} inputMode={passport ? "text" : "numeric"} autoComplete="off" />
      <button type="button" className="link" onClick={() => setPassport(!passport)}>
        {passport ? "Punya NIK? Pakai NIK" : "Tidak punya NIK? Pakai paspor"}
      </button>
      <div className="tick">
        <input type="checkbox" id="field-captcha" checked={ticked} onChange={() => setTicked(!ticked)} />
        <label htmlFor="field-captcha">Saya bukan robot</label>
      </div>
      <button type="submit" className="button primary shout">Periksa</button>
      <p role="status">{answer}</p>
    </form>
  );
}

createRoot(document.getElementById("app")).render(<Home />);
