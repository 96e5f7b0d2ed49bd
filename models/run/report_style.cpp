#include "models/run/report_style.hpp"

namespace fraqat::run {

// Eight colours that a colour-blind reader tells apart (after Okabe and Ito),
// darkened or lightened until each has a contrast of 3 or more on its ground.
const char* const report_style = R"(
:root{color-scheme:light dark;--page:#f6f7f9;--card:#fff;--ink:#1a2027;--soft:#56616d;--rule:#dfe4ea;
--band:#eef3f8;--band2:#f8f4ea;--good:#0a6b3f;--goodbg:#e3f5ea;--bad:#a51d12;--badbg:#fdeae8;
--c0:#0067ab;--c1:#c04a00;--c2:#007a57;--c3:#a4478a;--c4:#8a6000;--c5:#2878b5;--c6:#54606c;--c7:#7a4b2a}
@media (prefers-color-scheme:dark){:root{--page:#101418;--card:#181d23;--ink:#e8ecf0;--soft:#a3afbb;
--rule:#2f3841;--band:#1e2833;--band2:#26222f;--good:#6fe0a4;--goodbg:#12301f;--bad:#ff9d92;
--badbg:#3a1714;--c0:#5cb8f2;--c1:#ff9350;--c2:#36d3a4;--c3:#e6a0cb;--c4:#f0c33c;--c5:#9fd0f5;
--c6:#b4c0cc;--c7:#d9a985}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);line-height:1.5;
font-family:system-ui,-apple-system,"Segoe UI",Roboto,"Liberation Sans",Arial,sans-serif}
main{max-width:1120px;margin:0 auto;padding:24px 20px 48px}
h1{font-size:1.9rem;line-height:1.2;margin:0 0 .5rem;overflow-wrap:anywhere}
h2{font-size:1.25rem;margin:2rem 0 .75rem;overflow-wrap:anywhere}
h3{font-size:1rem;margin:0}
p{margin:.25rem 0}
.soft{color:var(--soft)}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(160px,1fr));gap:12px;margin:20px 0}
.tile,.card{background:var(--card);border:1px solid var(--rule);border-radius:10px}
.tile{padding:12px 16px}
.tile b{display:block;font-size:1.6rem;line-height:1.25;font-variant-numeric:tabular-nums}
.tile span{color:var(--soft);font-size:.9rem}
.verdict{padding:10px 16px;margin:0 0 16px}
.good{border-color:var(--good);background:var(--goodbg)}.good b{color:var(--good)}
.bad{border-color:var(--bad);background:var(--badbg)}.bad b{color:var(--bad)}
.grid{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,400px),1fr));gap:16px;
align-items:start}
.card{padding:14px 16px 10px;margin:0 0 16px}
.grid .card{margin:0}
details.card{margin:16px 0 0;padding-bottom:14px}
main>figure.card{max-width:680px}
figcaption{margin-bottom:6px}
figcaption p{color:var(--soft);font-size:.875rem}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{text-align:right;padding:7px 10px;border-bottom:1px solid var(--rule);white-space:nowrap}
th{white-space:normal;font-size:.85rem;font-weight:600;color:var(--soft)}
th:first-child,td:first-child{text-align:left;padding-left:4px}
tr:last-child td{border-bottom:0}
tr.run td:first-child::before{content:"\25C6";color:var(--c);margin-right:.5em}
tr.own td{font-weight:650;background:var(--band)}
summary{cursor:pointer;font-weight:600}
pre{overflow-x:auto;font-size:.85rem;line-height:1.45;margin:.75rem 0 0}
dl{display:grid;grid-template-columns:max-content 1fr;gap:4px 18px;margin:.75rem 0 0}
dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}
svg{display:block;width:100%;height:auto;overflow:visible}
svg text{font-size:11px;fill:var(--ink);stroke:none}
svg text.soft{fill:var(--soft)}
.mid{text-anchor:middle}.end{text-anchor:end}
.halo{paint-order:stroke;stroke:var(--card)!important;stroke-width:3px;stroke-linejoin:round}
.band{fill:var(--band)}.band.odd{fill:var(--band2)}
.grid line,.axis,.grid{stroke-width:1}
line.grid{stroke:var(--rule)}line.axis{stroke:var(--soft)}
line.level{stroke:var(--ink);stroke-width:1.2;stroke-dasharray:5 4}
line.tick{stroke:var(--ink);stroke-width:2}line.under{stroke:var(--card);stroke-width:5}
path.line{fill:none;stroke:var(--c);stroke-width:1.7;stroke-linejoin:round}
path.line.base{stroke-width:1.2}
path.line.strong{stroke-width:2.6}
path.lead{fill:none;stroke:var(--c);stroke-width:1;opacity:.7}
.d1{stroke-dasharray:6 3}.d2{stroke-dasharray:2 2.5}
.lead.d1,.lead.d2{stroke-dasharray:none}
.mark{fill:var(--c);stroke:var(--card);stroke-width:1}
line.spread{stroke:var(--c);stroke-width:1.4;stroke-linecap:round}
.hover{fill:transparent}.hover:hover{fill:var(--c)}
rect.bar{fill:var(--c)}
.c0{--c:var(--c0)}.c1{--c:var(--c1)}.c2{--c:var(--c2)}.c3{--c:var(--c3)}.c4{--c:var(--c4)}
.c5{--c:var(--c5)}.c6{--c:var(--c6)}.c7{--c:var(--c7)}.ink{--c:var(--ink)}.base{--c:var(--soft)}
@media (max-width:560px){main{padding:16px 12px 32px}.card{padding:12px 10px 8px}
h1{font-size:1.5rem}svg text{font-size:12.5px}th,td{padding:6px 7px}
dl{grid-template-columns:1fr;gap:0}dd{margin-bottom:8px}}
@media print{body{background:#fff}main{max-width:none;padding:0}.card,.tile{break-inside:avoid}
.grid{grid-template-columns:1fr 1fr}}
)";

}  // namespace fraqat::run
