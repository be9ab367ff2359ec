"""The look of the report's page."""

STYLE = """
@page{size:A4;margin:14mm}
*{box-sizing:border-box}
body{font:14px/1.45 system-ui,"Segoe UI",Helvetica,Arial,sans-serif;color:#1f2933;max-width:960px;margin:24px auto;padding:0 20px}
h1{font-size:26px;margin:0 0 2px}h2{font-size:17px;margin:30px 0 8px;border-bottom:2px solid #1d4f91;padding-bottom:3px}
.lead{color:#52606d;margin:0 0 18px}.cards{display:flex;flex-wrap:wrap;gap:12px}
.card{flex:1 1 150px;border:1px solid #dde3ea;border-radius:8px;padding:10px 14px}.card b{display:block;font-size:26px;line-height:1.2}
.card small{color:#52606d}.note{background:#fff7e6;border-left:4px solid #d9822b;padding:8px 12px;margin:14px 0}
.note ul{margin:4px 0 0;padding-left:18px}table{border-collapse:collapse;width:100%;font-size:12.5px}
th,td{padding:3px 7px;text-align:right;border-bottom:1px solid #e7ebf0;white-space:nowrap}
th{background:#f3f6f9;font-weight:600;vertical-align:bottom;white-space:normal}
td:first-child,th:first-child{text-align:left;white-space:normal;min-width:9em}.up{color:#1d4f91}.down{color:#b5482f}.mark{color:#9a5b13}
svg{width:100%;height:auto;font:11px system-ui,Helvetica,Arial,sans-serif;fill:#52606d}svg .value{fill:#1f2933;font-weight:600}
.wide{overflow-x:auto;max-width:100%}
.legend{margin:2px 0 0;font-size:12px}.legend span{margin-right:16px}
.legend i{display:inline-block;width:12px;height:12px;margin-right:5px;vertical-align:-1px}
footer{color:#52606d;font-size:12px;margin-top:28px;border-top:1px solid #dde3ea;padding-top:8px}
@media (max-width:640px){body{padding:0 10px;margin:12px auto;font-size:13px}h1{font-size:21px}
table{font-size:11px}th,td{padding:3px 4px}.chart svg{font-size:16px;overflow:visible}}
@media print{.wide{overflow:visible}body{margin:0;padding:0;max-width:none;font-size:11px}table{font-size:9.5px}
h2{break-after:avoid}tr,svg,.card,.note{break-inside:avoid}
thead{display:table-header-group}
*{-webkit-print-color-adjust:exact;print-color-adjust:exact}}
"""
